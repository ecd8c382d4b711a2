import type { Hyperparameters } from '../hyperparameters.js';

/** Which layers attend to a sliding window, and how far. */
export interface SlidingWindow {
  /** Tokens that a windowed layer looks back at. */
  readonly length: number;
  readonly isWindowed: (layer: number) => boolean;
}

/**
 * How an architecture says which of its layers have a window. Taken from `load_arch_hparams` in the files of src/models/
 * of the pinned llama.cpp; look again when the pin moves.
 */
interface WindowRule {
  /** Every so many layers one attends to everything; `listed` where the file has a flag for each layer. */
  readonly period: number | 'listed';
  /** The first of each period is the one without a window; otherwise the last is. */
  readonly fullFirst?: boolean;
  /** There is no window unless the file gives one. Otherwise it must, or the default holds. */
  readonly optional?: boolean;
  /** Where the file gives none. */
  readonly length?: number;
  /** This length, whatever the file says. */
  readonly fixedLength?: number;
}

const rules: Readonly<Record<string, WindowRule>> = {
  afmoe: { period: 4, optional: true },
  cohere2: { period: 4 },
  cohere2moe: { period: 4, fullFirst: true },
  deepseek4: { period: 0 },
  dots3note: { period: 'listed' },
  'exaone-moe': { period: 4, length: 128 },
  exaone4: { period: 4, length: 4096 },
  gemma2: { period: 2, length: 4096 },
  gemma3: { period: 6, optional: true },
  gemma3n: { period: 5 },
  gemma4: { period: 'listed' },
  'gpt-oss': { period: 2 },
  granite_swa: { period: 'listed' },
  laguna: { period: 4, fullFirst: true, optional: true },
  lfm2: { period: 0, optional: true },
  llama4: { period: 4, fixedLength: 8192 },
  maple: { period: 'listed' },
  mellum: { period: 4, optional: true },
  mimo2: { period: 'listed' },
  'muse-glimmer': { period: 4 },
  olmo2: { period: 4, optional: true },
  plamo3: { period: 8, optional: true },
  smallthinker: { period: 4, fullFirst: true, optional: true, fixedLength: 4096 },
  spark2_5: { period: 'listed' },
  step35: { period: 'listed' },
};

/** Only this EXAONE 4 has windows: the one with 32 billion parameters. */
const layersOfExaoneWithWindow = 64;

/** The sliding window of a model with `layers` layers, those that predict several tokens not counted. */
export function findSlidingWindow(facts: Hyperparameters, layers: number): SlidingWindow | undefined {
  const rule = rules[facts.architecture];
  if (rule === undefined) return undefined;
  if (facts.architecture === 'exaone4' && layers !== layersOfExaoneWithWindow) return undefined;
  const given = facts.count('attention.sliding_window');
  if (given === 0 || (given === undefined && rule.optional === true)) return undefined;
  const length = rule.fixedLength ?? given ?? rule.length;
  if (length === undefined) return undefined;
  return { length, isWindowed: readPattern(facts, rule, layers) };
}

/** `load_swa_pattern` in src/llama-model.cpp: a flag for each layer, or the period of the layers without a window. */
function readPattern(facts: Hyperparameters, rule: WindowRule, layers: number): (layer: number) => boolean {
  const listed = facts.perLayer('attention.sliding_window_pattern');
  const isList = listed.length > 1 || rule.period === 'listed';
  if (isList) return (layer) => listed[layer] === 1;
  const period = rule.period === 0 ? 0 : (listed[0] ?? Number(rule.period));
  const full = rule.fullFirst === true ? 0 : period - 1;
  return (layer) => layer < layers && (period === 0 || layer % period !== full);
}
