import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Context, loadModel, type Model, type SamplingOptions } from '../../lib/index.js';
import {
  type ContextHandle,
  getAddon,
  type ModelHandle,
  type NativeSamplingOptions,
} from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';

let path: string;
let model: Model;
let context: Context;
/** Logits behind the prompt; the context keeps them until its next `eval`. */
let logits: Float32Array;
let vocabularySize: number;

const prompt = 'The quick brown fox jumps over the lazy dog. The quick brown';

beforeAll(async () => {
  path = await testModelPath();
  model = await loadModel(path, { contextSize: 512, threads: 1 });
  context = await model.createContext({ contextSize: 512, threads: 1 });
  await context.eval(await model.tokenize(prompt));
  logits = await context.logits();
  vocabularySize = logits.length;
});
afterAll(async () => {
  await context.close();
  await model.close();
});

/** Tokens from the most probable one down. */
function ranking(): number[] {
  return [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
}

function logSoftmax(values: Float32Array): Float64Array {
  const largest = values.reduce((a, b) => Math.max(a, b));
  const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
  return Float64Array.from(values, (value) => value - largest - Math.log(sum));
}

/** Draws from the same logits again and again; each draw counts as a generated token for the penalties. */
async function draw(options: SamplingOptions, count = 50): Promise<number[]> {
  const sampler = await model.createSampler({ seed: 1, ...options });
  return Promise.all(Array.from({ length: count }, () => context.sample(sampler)));
}

const everything: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0 };

describe('sampling', () => {
  it('gives the same tokens for the same seed, others for another', async () => {
    const [first, again, other] = await Promise.all([
      draw({ ...everything, seed: 7 }),
      draw({ ...everything, seed: 7 }),
      draw({ ...everything, seed: 8 }),
    ]);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('takes the most probable token at temperature 0, at top-k 1 and at top-p 0', async () => {
    const best = ranking()[0];
    for (const options of [{ temperature: 0 }, { topK: 1, temperature: 5 }, { topP: 0 }, { minP: 1 }]) {
      expect(new Set(await draw(options, 10)), JSON.stringify(options)).toEqual(new Set([best]));
    }
  });

  it('stays within the k most probable tokens, and uses several', async () => {
    const allowed = new Set(ranking().slice(0, 5));
    const drawn = new Set(await draw({ ...everything, temperature: 3, topK: 5 }, 100));
    expect([...drawn].every((token) => allowed.has(token))).toBe(true);
    expect(drawn.size).toBeGreaterThan(2);
  });

  it('leaves at least minKeep tokens where top-p would leave one', async () => {
    const drawn = new Set(await draw({ ...everything, temperature: 50, topK: 10, topP: 0, minKeep: 4 }, 100));
    expect(drawn).toEqual(new Set(ranking().slice(0, 4)));
  });

  it('drops what is many standard deviations below the best with topNSigma', async () => {
    const values = [...logits];
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const best = Math.max(...values);
    const drawn = await draw({ ...everything, temperature: 20, topNSigma: 2 }, 100);
    for (const token of drawn) expect(logits[token]).toBeGreaterThan(best - 2 * deviation - 1e-2);
    expect(new Set(drawn).size).toBeGreaterThan(5);
  });

  it('excludes all top choices but the last with xtcProbability 1', async () => {
    const flat = { ...everything, topK: 5, temperature: 1, logitBias: flattening() };
    const drawn = new Set(await draw({ ...flat, xtcProbability: 1, xtcThreshold: 0.1 }, 40));
    expect(drawn.size).toBe(1);
    expect(new Set(await draw(flat, 60)).size).toBe(5);
  });

  it('prefers tokens of the expected information content with typicalP', async () => {
    const narrow = new Set(await draw({ ...everything, topK: 200, temperature: 10, typicalP: 0.1 }, 100));
    const wide = new Set(await draw({ ...everything, topK: 200, temperature: 10 }, 100));
    expect(narrow.size).toBeLessThan(wide.size / 2);
  });

  it('varies the temperature with dynamicTemperatureRange', async () => {
    const fixed = new Set(await draw({ ...everything, topK: 100, temperature: 0 }, 100));
    const dynamic = new Set(
      await draw({ ...everything, topK: 100, temperature: 0, dynamicTemperatureRange: 30 }, 100),
    );
    expect(fixed.size).toBe(1);
    expect(dynamic.size).toBeGreaterThan(10);
  });

  it.each([1, 2] as const)('aims at the surprise that Mirostat %i is given', async (mirostat) => {
    const low = new Set(await draw({ temperature: 1, mirostat, mirostatTau: 0.1 }, 100));
    const high = new Set(await draw({ temperature: 2, mirostat, mirostatTau: 9 }, 100));
    expect(low.size).toBeLessThan(high.size);
  });

  it('keeps away from the best token with a low adaptiveTarget', async () => {
    const best = ranking()[0];
    const usual = await draw({ ...everything, topK: 20 }, 100);
    const adaptive = await draw({ ...everything, topK: 20, adaptiveTarget: 0.05 }, 100);
    const count = (tokens: number[]) => tokens.filter((token) => token === best).length;
    expect(count(adaptive)).toBeLessThan(count(usual));
  });

  it.each([
    ['repeatPenalty', { repeatPenalty: 50 }],
    ['frequencyPenalty', { frequencyPenalty: 100 }],
    ['presencePenalty', { presencePenalty: 100 }],
  ])('does not repeat a token with a large %s', async (_, options) => {
    const drawn = await draw({ temperature: 0, repeatLastTokens: 20, ...options }, 15);
    expect(new Set(drawn).size).toBe(15);
  });

  it('penalizes only as many tokens as repeatLastTokens says', async () => {
    const [first, second] = ranking();
    const drawn = await draw({ temperature: 0, repeatLastTokens: 1, presencePenalty: 100 }, 6);
    expect(drawn).toEqual([first, second, first, second, first, second]);
  });

  it('breaks off repetitions with DRY, unless a breaker lies between', async () => {
    const repeated = new Set(await draw({ temperature: 0, dryMultiplier: 50 }, 12));
    expect(repeated.size).toBeGreaterThan(1);
    const best = await model.detokenize([ranking()[0] ?? 0]);
    const broken = await draw({ temperature: 0, dryMultiplier: 50, drySequenceBreakers: [best] }, 12);
    expect(new Set(broken).size).toBe(1);
  });

  it('counts the end of the prompt among what DRY must not repeat', async () => {
    const text = 'one two three four five one two three four five one two three four five one two three';
    const options = { temperature: 0, maxTokens: 2, ignoreEndOfSequence: true } as const;
    const plain = await model.generate(text, options).result;
    const dry = await model.generate(text, { ...options, dryMultiplier: 100 }).result;
    expect(plain.text).toContain('four');
    expect(dry.text).not.toContain('four');
  });

  it('takes a sequence breaker that is cut inside a character', async () => {
    const options = { temperature: 0, dryMultiplier: 1, drySequenceBreakers: ['👩‍👩‍👧‍👦', '\0', 'é'] };
    expect(await draw(options, 2)).toHaveLength(2);
  });
});

/** Makes the five most probable tokens equally probable. */
function flattening(): Map<number, number> {
  const top = ranking().slice(0, 5);
  const lowest = logits[top[4] ?? 0] ?? 0;
  return new Map(top.map((token, index) => [token, lowest - (logits[token] ?? 0) + 5 - index * 1e-3]));
}

describe('a logit bias', () => {
  it('forbids a token with -Infinity or never, greedy or not', async () => {
    const [best, second] = ranking();
    if (best === undefined) throw new Error('no ranking');
    for (const bias of [Number.NEGATIVE_INFINITY, 'never'] as const) {
      expect((await draw({ temperature: 0, logitBias: { [best]: bias } }, 1))[0]).toBe(second);
      expect(await draw({ ...everything, temperature: 2, logitBias: { [best]: bias } })).not.toContain(best);
      expect(await draw({ topK: 3, temperature: 2, logitBias: { [best]: bias } })).not.toContain(best);
    }
  });

  it('of 100 forces a token, however improbable', async () => {
    const worst = ranking().at(-1) ?? 0;
    expect(await draw({ temperature: 0, logitBias: { [worst]: 100 } }, 3)).toEqual([worst, worst, worst]);
    expect(await draw({ logitBias: new Map([[worst, 100]]) }, 3)).toEqual([worst, worst, worst]);
  });

  it('leaves the logits of the context as they were', async () => {
    await draw({ logitBias: { 5: 50, 6: 'never' }, presencePenalty: 10, dryMultiplier: 5 }, 20);
    expect(await context.logits()).toEqual(logits);
  });

  it('of a token outside the vocabulary is refused', async () => {
    const code = 'INVALID_TOKEN';
    await expect(model.createSampler({ logitBias: { [vocabularySize]: 1 } })).rejects.toThrow(
      expect.objectContaining({ code }),
    );
    const generation = model.generate('x', { maxTokens: 1, logitBias: { [vocabularySize]: 1 } });
    await expect(generation.result).rejects.toMatchObject({ code });
  });

  it('that forbids every token fails, and the next call works', async () => {
    const logitBias = new Map(
      Array.from({ length: vocabularySize }, (_, token) => [token, 'never'] as const),
    );
    for (const options of [
      { temperature: 0 },
      {},
      everything,
      { typicalP: 0.5, topK: 0 },
      { mirostat: 1 as const },
    ]) {
      await expect(draw({ ...options, logitBias }, 1)).rejects.toMatchObject({ code: 'NO_TOKEN_ALLOWED' });
    }
    const generation = model.generate('x', { maxTokens: 1, logitBias });
    await expect(generation.result).rejects.toMatchObject({ code: 'NO_TOKEN_ALLOWED' });
    expect((await model.generate('x', { maxTokens: 1 }).result).tokens.length).toBeLessThanOrEqual(1);
  });

  it('that leaves three tokens draws only these', async () => {
    const kept = new Set(ranking().slice(1000, 1003));
    const logitBias = new Map<number, 'never'>();
    for (let token = 0; token < vocabularySize; token++) if (!kept.has(token)) logitBias.set(token, 'never');
    for (const options of [{}, everything, { typicalP: 0.99 }, { xtcProbability: 0.5 }]) {
      const drawn = await draw({ temperature: 5, ...options, logitBias }, 20);
      for (const token of drawn) expect(kept.has(token)).toBe(true);
    }
  });
});

/** A generator of numbers from 0 to 1 that is the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x100000000;
  };
}

describe('the short cuts of sampling', () => {
  let handle: ModelHandle;
  let native: ContextHandle;
  beforeAll(async () => {
    const addon = getAddon();
    const load = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
    handle = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
    const sizes = { contextSize: 512, batchSize: 64, sequences: 1, threads: 1 };
    native = (await addon.createContext(handle, sizes, () => {})).handle;
  });
  afterAll(async () => {
    await getAddon().closeContext(native);
    await getAddon().closeModel(handle);
  });

  async function drawWith(options: NativeSamplingOptions, count: number): Promise<number[]> {
    const addon = getAddon();
    const sampler = await addon.createSampler(handle, options);
    try {
      return await Promise.all(Array.from({ length: count }, () => addon.sample(native, sampler, -1)));
    } finally {
      addon.closeSampler(sampler);
    }
  }

  function randomOptions(random: () => number): NativeSamplingOptions {
    const sometimes = <Value>(value: Value) => (random() < 0.3 ? value : undefined);
    const biased = Math.floor(random() * 6);
    return {
      temperature: random() < 0.1 ? 0 : random() * 2.5,
      topK: 1 + Math.floor(random() ** 2 * 256),
      topP: random() < 0.3 ? 1 : random(),
      minP: random() < 0.5 ? 0 : random() * 0.2,
      typicalP: sometimes(random()),
      xtcProbability: sometimes(random()),
      xtcThreshold: random() * 0.3,
      minKeep: sometimes(Math.floor(random() * 10)),
      dynamicTemperatureRange: sometimes(random()),
      repeatPenalty: sometimes(1 + random()),
      frequencyPenalty: sometimes(random() * 4 - 1),
      presencePenalty: sometimes(random() * 4 - 1),
      repeatLastTokens: Math.floor(random() * 12),
      dryMultiplier: random() < 0.05 ? random() * 3 : undefined,
      adaptiveTarget: random() < 0.1 ? random() : undefined,
      logitBiasTokens: Int32Array.from({ length: biased }, (_, i) => Math.floor(random() * 8000) + i * 8000),
      logitBiasValues: Float32Array.from({ length: biased }, () =>
        random() < 0.3 ? Number.NEGATIVE_INFINITY : random() * 60 - 30,
      ),
      ignoreEndOfSequence: random() < 0.5,
      seed: Math.floor(random() * 0x100000000),
    };
  }

  async function expectTheChainsChoice(
    random: () => number,
    trials: number,
    change: (options: NativeSamplingOptions) => NativeSamplingOptions,
  ): Promise<void> {
    const prompts = ['Once upon a time', '1 + 1 =', 'const answer =', 'The', 'Der schnelle braune Fuchs'];
    for (const [position, text] of prompts.entries()) {
      await getAddon().eval(native, await model.tokenize(text), 0, -1, false);
      for (let trial = 0; trial < trials; trial++) {
        const options = change(randomOptions(random));
        const [short, exact] = await Promise.all([
          drawWith(options, 6),
          drawWith({ ...options, exactChain: true }, 6),
        ]);
        expect(short, `prompt ${position}, ${JSON.stringify(options)}`).toEqual(exact);
      }
    }
  }

  it('choose what the chain over the whole vocabulary chooses, with any options and seed', async () => {
    await expectTheChainsChoice(numbers(20_240_501), 80, (options) => options);
  });

  it('choose the same without top-k, where top-p or min-p cuts', async () => {
    const random = numbers(20_240_502);
    await expectTheChainsChoice(random, 40, (options) => {
      const topP = random() < 0.5 ? 1 : random();
      return { ...options, topK: 0, typicalP: undefined, topP, minP: topP < 1 ? 0 : random() ** 3 };
    });
  });
});

describe('log-probabilities', () => {
  const options = { temperature: 1.5, seed: 3, maxTokens: 6, ignoreEndOfSequence: true } as const;

  it('are those of the softmax of the logits, before any sampling option', async () => {
    const tokens = await model.tokenize(prompt);
    const result = await model.generate(tokens, { ...options, logprobs: 5, logitBias: { 5: 20 } }).result;
    expect(result.logprobs).toHaveLength(result.tokens.length);
    const own = await model.createContext({ contextSize: 512, threads: 1 });
    await own.eval(tokens);
    for (const [index, entry] of (result.logprobs ?? []).entries()) {
      const expected = logSoftmax(await own.logits());
      expect(entry.token).toBe(result.tokens[index]);
      expect(entry.logprob).toBeCloseTo(expected[entry.token] ?? 1, 4);
      for (const { token, logprob } of entry.top) expect(logprob).toBeCloseTo(expected[token] ?? 1, 4);
      await own.eval([entry.token]);
    }
    await own.close();
  });

  it('come with the most probable tokens, descending, which together reach at most 1', async () => {
    const { logprobs = [] } = await model.generate(prompt, { ...options, logprobs: 20 }).result;
    expect(logprobs).toHaveLength(6);
    for (const { top, logprob } of logprobs) {
      const values = top.map((entry) => entry.logprob);
      expect(values).toHaveLength(20);
      expect(values).toEqual([...values].sort((a, b) => b - a));
      expect(new Set(top.map((entry) => entry.token)).size).toBe(20);
      expect(values.reduce((sum, value) => sum + Math.exp(value), 0)).toBeLessThanOrEqual(1 + 1e-5);
      expect(logprob).toBeLessThanOrEqual((values[0] ?? 0) + 1e-6);
    }
  });

  it('come with the text of each token, chunk by chunk as in the result', async () => {
    const generation = model.generate(prompt, { ...options, logprobs: true });
    const streamed = [];
    for await (const chunk of generation) {
      expect(chunk.logprobs).toHaveLength(chunk.tokens.length);
      streamed.push(...(chunk.logprobs ?? []));
    }
    const result = await generation.result;
    expect(result.logprobs).toEqual(streamed);
    expect(streamed.map((entry) => entry.text).join('')).toBe(result.text);
    expect(streamed.every((entry) => entry.top.length === 0)).toBe(true);
  });

  it('belong to the right sequence when the tokens of several are chosen on several threads', async () => {
    await using several = await loadModel(path, { contextSize: 512, sequences: 4, threads: 2 });
    const prompts = ['One, two,', 'The capital of France is', 'Once upon a', 'def main():'];
    const generations = prompts.map((text) =>
      several.generate(text, { temperature: 0, maxTokens: 12, ignoreEndOfSequence: true, logprobs: 20 }),
    );
    for (const [index, generation] of generations.entries()) {
      const { tokens, logprobs = [] } = await generation.result;
      expect(logprobs.map(({ token }) => token)).toEqual(tokens);
      expect(logprobs.map(({ top }) => top[0]?.token)).toEqual(tokens); // greedy: the most probable ones
      const alone = await several.generate(prompts[index] ?? '', {
        temperature: 0,
        maxTokens: 1,
        logprobs: 0,
      }).result;
      expect(alone.tokens[0]).toBe(tokens[0]);
      expect(alone.logprobs?.[0]?.logprob).toBeCloseTo(logprobs[0]?.logprob ?? 0, 1);
    }
  });

  it('are absent unless asked for', async () => {
    const result = await model.generate(prompt, { ...options, maxTokens: 2 }).result;
    expect(result).not.toHaveProperty('logprobs');
  });
});
