import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadOutcome, ModelLoader } from '../helpers/gguf-loader.js';
import { MutatedFile } from '../helpers/gguf-mutated-file.js';
import { mutate } from '../helpers/gguf-mutations.js';
import { type MutationSeed, type Reduction, readSeed, writeReducedModel } from '../helpers/gguf-seeds.js';
import { testModelPath } from '../helpers/model.js';

const vocabularies = fileURLToPath(new URL('../../vendor/llama.cpp/models/', import.meta.url));
/** Longer than any well-formed seed takes by far: a case that needs it hangs. */
const caseTimeoutMs = 20_000;
const smallModel = { tokens: 1024, layers: 2 };

interface Plan {
  readonly name: string;
  /** A vocabulary of the vendored tree; default the test model. */
  readonly vocabulary?: string;
  /** How the file is cut down; default not at all. */
  readonly reduction?: Reduction;
  readonly mutations: number;
}

const plans: readonly Plan[] = [
  { name: 'SmolLM2, whole', mutations: 60 },
  { name: 'SmolLM2, two layers', reduction: smallModel, mutations: 740 },
  { name: 'SmolLM2 as qwen2', reduction: { ...smallModel, architecture: 'qwen2' }, mutations: 300 },
  { name: 'SmolLM2 as gemma', reduction: { ...smallModel, architecture: 'gemma' }, mutations: 200 },
  { name: 'SentencePiece, whole', vocabulary: 'phi-3', mutations: 100 },
  { name: 'WordPiece, whole', vocabulary: 'bert-bge', mutations: 100 },
  { name: 'SentencePiece', vocabulary: 'llama-spm', reduction: { tokens: 2000 }, mutations: 100 },
  { name: 'byte pairs', vocabulary: 'llama-bpe', reduction: { tokens: 2000 }, mutations: 100 },
  { name: 'unigrams', vocabulary: 'nomic-bert-moe', reduction: { tokens: 2000 }, mutations: 150 },
  { name: 'byte pairs of Gemma 4', vocabulary: 'gemma-4', reduction: { tokens: 2000 }, mutations: 150 },
];

let directory: string;
const loaders = [new ModelLoader(caseTimeoutMs), new ModelLoader(caseTimeoutMs)];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gguf-mutations-'));
});

afterAll(async () => {
  await Promise.all(loaders.map((loader) => loader.close()));
  await rm(directory, { recursive: true, force: true });
});

async function makeSeed({ name, vocabulary, reduction }: Plan): Promise<MutationSeed> {
  const source =
    vocabulary === undefined ? await testModelPath() : join(vocabularies, `ggml-vocab-${vocabulary}.gguf`);
  if (reduction === undefined) {
    return readSeed(name, source);
  }
  const target = join(directory, name);
  await mkdir(target);
  return readSeed(name, await writeReducedModel(source, target, reduction));
}

/** One line for each case whose outcome is not acceptable, and a count of every kind of outcome. */
class Findings {
  readonly failures: string[] = [];
  readonly counts = new Map<string, number>();

  add(name: string, outcome: LoadOutcome): void {
    const kind = outcome.kind === 'refused' ? (outcome.code ?? 'foreign error') : outcome.kind;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const isAcceptable =
      outcome.kind === 'loaded' ||
      (outcome.kind === 'refused' && outcome.code !== undefined && outcome.code !== 'INTERNAL');
    if (!isAcceptable) {
      this.failures.push(`${name}: ${kind} at ${outcome.stage}: ${outcome.message}`);
    }
  }
}

/** Every other mutation of a seed, in one child process. */
async function runShare(plan: Plan, seed: MutationSeed, share: number, findings: Findings): Promise<void> {
  const loader = loaders[share];
  const file = await MutatedFile.create(join(directory, `${plan.name}-${share}.gguf`), seed);
  const modes = seed.header.tensors.length > 0 ? [false, true] : [true];
  for (let index = share; index < plan.mutations; index += loaders.length) {
    const mutation = mutate(seed, index);
    await file.apply(mutation);
    for (const vocabOnly of modes) {
      const outcome = await loader?.load(file.path, vocabOnly);
      if (outcome !== undefined) {
        findings.add(`${mutation.name}${vocabOnly ? ', vocabulary only' : ''}`, outcome);
      }
    }
  }
  await file.close();
}

describe('loading damaged models', () => {
  it('tries 2000 mutations in all', () => {
    expect(plans.reduce((sum, { mutations }) => sum + mutations, 0)).toBe(2000);
  });

  it.each(plans)(
    'ends in a model or in a clear error for $mutations mutations of $name',
    async (plan) => {
      const seed = await makeSeed(plan);
      const findings = new Findings();
      const loader = loaders[0];
      const path = join(directory, `${plan.name}-unchanged.gguf`);
      const unchanged = await MutatedFile.create(path, seed);
      await unchanged.close();
      expect(await loader?.load(path, seed.header.tensors.length === 0)).toEqual({ kind: 'loaded' });

      await Promise.all(loaders.map((_, share) => runShare(plan, seed, share, findings)));

      console.info(
        `${plan.name}: ${[...findings.counts].map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
      );
      expect(findings.failures).toEqual([]);
      // A mutation that changes nothing that matters still loads; if none did, the seed or the checks were wrong.
      expect(findings.counts.get('loaded')).toBeGreaterThan(plan.mutations / 20);
      expect(findings.counts.get('MODEL_INVALID')).toBeGreaterThan(plan.mutations / 20);
    },
    300_000,
  );
});
