import {
  architecturesDividingByHeads,
  architecturesWithEqualHeads,
  architecturesWithExperts,
  architecturesWithFullRope,
  architecturesWithoutRope,
  architecturesWithRopeSections,
  architecturesWithSlidingWindow,
  architecturesWithSquareQuery,
  architecturesWithTokenShift,
  architecturesWithWkvHeads,
  countsNeverZero,
} from './architecture-rules.js';
import { Hyperparameters } from './hyperparameters.js';
import type { GgufHeader } from './types.js';

/** `LLAMA_MAX_LAYERS` and `LLAMA_MAX_EXPERTS` in src/llama-hparams.h of the pinned llama.cpp. */
const maxLayers = 512;
const maxExperts = 1024;

/** Known values of `rope.scaling.type`; another one is an assertion. Source: src/llama-model.cpp. */
const ropeScalingTypes = new Set(['none', 'linear', 'yarn', 'longrope']);

/** For these, llama.cpp takes an expert count of 1 for none (`llama_model_base::load_hparams`). */
const architecturesWithSingleExpert = new Set(['hunyuan_vl', 'hunyuan-dense']);

/**
 * Refuses hyperparameters that llama.cpp does not check, but asserts or divides by: while loading
 * (`llama_model_base::load_hparams`), creating a context, or in the first evaluation. A missing key or one of
 * another type is an ordinary error there, and left to it.
 */
export function checkArchitecture(header: GgufHeader, architecture: string): void {
  const facts = new Hyperparameters(header, architecture);
  checkLayers(facts);
  checkExperts(facts);
  checkRopeScaling(facts);
  checkNormalization(facts);
  checkDivisors(facts);
  checkHeads(facts);
  checkSlidingWindow(facts);
  checkRecurrence(facts);
}

function checkLayers(facts: Hyperparameters): void {
  const layers = facts.count('block_count');
  if (layers === undefined) {
    return;
  }
  if (layers === 0 || layers > maxLayers) {
    throw facts.refuse('block_count', layers, `1 to ${maxLayers}`);
  }
  for (const name of ['nextn_predict_layers', 'posnet.block_count', 'convnext.block_count']) {
    const count = facts.count(name) ?? 0;
    if (count > layers) {
      throw facts.refuse(name, count, `no more than block_count, which is ${layers}`);
    }
  }
  const loops = facts.count('num_loops') ?? 1;
  if (facts.architecture === 'nanbeige' && layers * loops > maxLayers) {
    throw facts.refuse('num_loops', loops, `${Math.floor(maxLayers / layers)} at most for ${layers} layers`);
  }
  const shared = facts.count('attention.shared_kv_layers') ?? 0;
  if (facts.architecture === 'gemma4' && layers - shared < 2) {
    throw facts.refuse('attention.shared_kv_layers', shared, `to leave 2 of ${layers} layers`);
  }
}

function checkExperts(facts: Hyperparameters): void {
  let experts = facts.count('expert_count') ?? 0;
  let used = Math.max(0, ...facts.perLayer('expert_used_count').slice(0, maxLayers));
  if (architecturesWithSingleExpert.has(facts.architecture) && experts <= 1) {
    experts = 0;
    used = 0;
  }
  if (experts > maxExperts) {
    throw facts.refuse('expert_count', experts, `${maxExperts} at most`);
  }
  if (experts === 0 && architecturesWithExperts.has(facts.architecture) && facts.has('block_count')) {
    throw facts.refuse('expert_count', facts.count('expert_count'), '1 or more');
  }
  if (used > experts || (experts > 0 && used === 0)) {
    throw facts.refuse('expert_used_count', used, `1 to ${experts}, the number of experts`);
  }
  checkExpertGroups(facts, experts);
}

function checkExpertGroups(facts: Hyperparameters, experts: number): void {
  const groups = facts.count('expert_group_count') ?? 0;
  const used = facts.count('expert_group_used_count') ?? 0;
  if (groups > 0 && groups >= experts) {
    throw facts.refuse('expert_group_count', groups, `less than ${experts}, the number of experts`);
  }
  if (groups > 1 && experts % groups !== 0) {
    throw facts.refuse('expert_group_count', groups, `a divisor of ${experts}, the number of experts`);
  }
  if (groups > 1 && (used === 0 || used >= groups)) {
    throw facts.refuse('expert_group_used_count', used, `1 to ${groups - 1}`);
  }
}

function checkRopeScaling(facts: Hyperparameters): void {
  const scaling = facts.text('rope.scaling.type')?.split('\0', 1)[0];
  if (scaling !== undefined && !ropeScalingTypes.has(scaling)) {
    throw facts.refuse('rope.scaling.type', JSON.stringify(scaling), [...ropeScalingTypes].join(', '));
  }
}

/** The kernels of the normalizations assert an epsilon of 0 or more, which NaN is not either. */
function checkNormalization(facts: Hyperparameters): void {
  for (const kind of ['layer_norm_rms', 'layer_norm', 'group_norm']) {
    const name = `attention.${kind}_epsilon`;
    const epsilon = facts.float(name);
    if (epsilon !== undefined && !(epsilon >= 0 && Number.isFinite(epsilon))) {
      throw facts.refuse(name, epsilon, '0 or more');
    }
  }
}

function checkDivisors(facts: Hyperparameters): void {
  const zero = countsNeverZero.find((name) => facts.count(name) === 0);
  if (zero !== undefined) {
    throw facts.refuse(zero, 0, '1 or more');
  }
}

function checkHeads(facts: Hyperparameters): void {
  const [heads = 0] = facts.perLayer('attention.head_count');
  if (heads === 0) {
    if (architecturesDividingByHeads.has(facts.architecture) && facts.has('block_count')) {
      throw facts.refuse('attention.head_count', facts.count('attention.head_count'), '1 or more');
    }
    // llama.cpp takes all head sizes for 0 then, as it must for models without attention.
    return;
  }
  const shared = facts.count('attention.head_count_kv') ?? 0;
  if (shared > 0 && facts.count('attention.head_count') === heads && heads % shared !== 0) {
    throw facts.refuse('attention.head_count_kv', shared, `a divisor of ${heads}, the number of heads`);
  }
  checkHeadSizes(facts, Math.floor((facts.count('embedding_length') ?? 0) / heads));
}

/** Cutting the queries into heads is an assertion that no value is left over. */
function checkQueries(facts: Hyperparameters, keyLength: number): void {
  const embedding = facts.count('embedding_length');
  if (embedding === undefined || !architecturesWithSquareQuery.has(facts.architecture)) {
    return;
  }
  const wrong = facts
    .perLayer('attention.head_count')
    .find((heads) => heads > 0 && heads * keyLength !== embedding);
  if (wrong !== undefined) {
    throw facts.refuse(
      'attention.head_count',
      wrong,
      `${embedding / keyLength}, for keys of ${keyLength} values`,
    );
  }
}

function checkHeadSizes(facts: Hyperparameters, defaultLength: number): void {
  const keyLength = facts.count('attention.key_length') ?? defaultLength;
  const valueLength = facts.count('attention.value_length') ?? defaultLength;
  const hasSlidingSizes = [
    'attention.key_length_swa',
    'attention.value_length_swa',
    'rope.dimension_count_swa',
  ];
  checkQueries(facts, keyLength);
  const isUniform = !hasSlidingSizes.some((name) => facts.has(name));
  if (isUniform && architecturesWithEqualHeads.has(facts.architecture) && keyLength !== valueLength) {
    throw facts.refuse('attention.value_length', valueLength, `${keyLength}, the length of a key`);
  }
  if (!architecturesWithoutRope.has(facts.architecture)) {
    const mustBeWhole = isUniform && architecturesWithFullRope.has(facts.architecture);
    checkRopeDimensions(facts, 'rope.dimension_count', keyLength, mustBeWhole);
    checkRopeDimensions(
      facts,
      'rope.dimension_count_swa',
      facts.count('attention.key_length_swa') ?? keyLength,
      false,
    );
    checkRopeSections(facts);
  }
}

/** Rope works on pairs of values in a head; with none at all the kernel never ends. */
function checkRopeDimensions(facts: Hyperparameters, name: string, headLength: number, whole: boolean): void {
  const given = facts.count(name);
  const dimensions = given ?? (whole ? headLength : undefined);
  if (dimensions === undefined) {
    return;
  }
  if (whole && dimensions !== headLength) {
    throw facts.refuse(name, dimensions, `${headLength}, the length of a head`);
  }
  if (dimensions === 0 || dimensions % 2 !== 0 || dimensions > headLength) {
    throw facts.refuse(name, dimensions, `an even number up to ${headLength}, the length of a head`);
  }
}

function checkRopeSections(facts: Hyperparameters): void {
  const sections = facts.perLayer('rope.dimension_sections');
  if (
    architecturesWithRopeSections.has(facts.architecture) &&
    !sections.slice(0, 3).some((size) => size > 0)
  ) {
    throw facts.refuse('rope.dimension_sections', `[${sections.join(', ')}]`, 'sizes of which one is not 0');
  }
}

/** With a window, but no layer that uses it, creating the KV cache is an assertion. */
function checkSlidingWindow(facts: Hyperparameters): void {
  const name = 'attention.sliding_window_pattern';
  const pattern = facts.perLayer(name);
  const window = facts.count('attention.sliding_window') ?? 0;
  if (window === 0 || pattern.length === 0 || !architecturesWithSlidingWindow.has(facts.architecture)) {
    return;
  }
  const usesWindow =
    facts.count(name) === undefined ? pattern.some((value) => value !== 0) : pattern[0] !== 1;
  if (!usesWindow) {
    throw facts.refuse(name, pattern[0], 'at least one layer with a sliding window');
  }
}

function checkRecurrence(facts: Hyperparameters): void {
  const shifts = facts.count('token_shift_count') ?? 2;
  if (architecturesWithTokenShift.has(facts.architecture) && shifts !== 2) {
    throw facts.refuse('token_shift_count', shifts, '2');
  }
  const size = facts.count('wkv.head_size');
  const embedding = facts.count('embedding_length');
  if (size === undefined || embedding === undefined || !architecturesWithWkvHeads.has(facts.architecture)) {
    return;
  }
  if (size % 64 !== 0 || embedding % size !== 0) {
    throw facts.refuse('wkv.head_size', size, `a multiple of 64 that divides ${embedding}`);
  }
}
