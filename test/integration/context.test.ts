import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Context, type ContextOptions, loadModel, type Model, type Sampler } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import { firstPrintable, printableCount, writeTinyGenerator } from '../helpers/tiny-generator.js';

let model: Model;
let context: Context;
let greedy: Sampler;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 256, threads: 1 });
  context = await model.createContext({ contextSize: 256, batchSize: 64, sequences: 3 });
  greedy = await model.createSampler({ temperature: 0 });
});
afterAll(async () => {
  await context.close();
  await model.close();
});

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  values.forEach((value, index) => {
    if (value > (values[best] ?? 0)) best = index;
  });
  return best;
}

describe('eval and sample', () => {
  it('choose the token with the largest logit when nothing is random', async () => {
    await context.clear();
    await context.eval(await model.tokenize('The capital of France is'));
    const logits = await context.logits();
    expect(logits).toHaveLength(model.metadata.vocabularySize);
    expect(logits.every(Number.isFinite)).toBe(true);
    expect(await context.sample(greedy)).toBe(indexOfLargest(logits));
  });

  it('continue token by token to the same text as generate', async () => {
    await context.clear();
    const prompt = await model.tokenize('Once upon a time');
    const expected = await model.generate(prompt, { temperature: 0, maxTokens: 12 }).result;
    await context.eval(prompt);
    const tokens = [];
    for (let step = 0; step < 12; step++) {
      const token = await context.sample(greedy);
      tokens.push(token);
      await context.eval([token]);
    }
    expect(tokens).toEqual(expected.tokens);
  });

  it('give logits of every token when asked for all', async () => {
    await context.clear();
    const tokens = await model.tokenize('A B C D');
    await context.eval(tokens, { logits: 'all' });
    const first = await context.logits(0);
    const last = await context.logits(tokens.length - 1);
    expect(first).not.toEqual(last);
    expect(await context.logits(-1)).toEqual(last);
  });

  it('evaluate more tokens than a batch in parts', async () => {
    await context.clear();
    const tokens = (await model.tokenize('word '.repeat(150))).slice(0, 150);
    await context.eval(tokens);
    expect(await context.nextPosition()).toBe(150);
    expect((await context.logits()).every(Number.isFinite)).toBe(true);
  });
});

describe('KV memory', () => {
  it('copies a prefix to another sequence, which goes on from it alike', async () => {
    await context.clear();
    await context.eval(await model.tokenize('Red, green and'));
    const before = await context.sample(greedy);
    await context.copySequence(0, 1);
    expect(await context.nextPosition(1)).toBe(await context.nextPosition(0));
    await context.eval([before], { sequence: 0 });
    const direct = await context.logits();
    await context.eval([before], { sequence: 1 });
    const copied = await context.logits();
    direct.forEach((value, index) => {
      expect(Math.abs(value - (copied[index] ?? 0))).toBeLessThan(0.05);
    });
  });

  it('removes tokens from the end, keeps one sequence, and clears', async () => {
    await context.clear();
    await context.eval(await model.tokenize('one two three four'));
    await context.eval(await model.tokenize('five'), { sequence: 1 });
    expect(await context.removeTokens(0, 2)).toBe(true);
    expect(await context.nextPosition(0)).toBe(2);
    await context.keepSequence(0);
    expect(await context.nextPosition(1)).toBe(0);
    await context.clear();
    expect(await context.nextPosition(0)).toBe(0);
  });

  it('shifts positions where the model allows it', async () => {
    await context.clear();
    expect(context.canShift).toBe(true);
    await context.eval(await model.tokenize('one two three four'));
    const length = await context.nextPosition();
    await context.removeTokens(0, 1, 2);
    await context.shiftPositions(0, 2, -1, -1);
    expect(await context.nextPosition()).toBe(length - 1);
  });

  it('being full is an error, after which it still works', async () => {
    await context.clear();
    const tokens = (await model.tokenize('word '.repeat(400))).slice(0, 300);
    await expect(context.eval(tokens)).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
    await context.clear();
    await context.eval(tokens.slice(0, 10));
    expect(await context.nextPosition()).toBe(10);
  });
});

describe('saved state', () => {
  it('restores a sequence that goes on as the saved one', async () => {
    await context.clear();
    const tokens = await model.tokenize('The quick brown fox');
    await context.eval(tokens);
    const state = await context.saveSequence(0);
    const next = await context.sample(greedy);
    await context.eval([next]);
    const expected = await context.logits();

    await context.clear();
    await context.restoreSequence(state, 0);
    expect(await context.nextPosition()).toBe(tokens.length);
    await context.eval([next]);
    const restored = await context.logits();
    expected.forEach((value, index) => {
      expect(Math.abs(value - (restored[index] ?? 0))).toBeLessThan(0.05);
    });
  });

  it('refuses every one of 400 single damaged bytes, a cut and an empty one', async () => {
    await context.clear();
    await context.eval(await model.tokenize('short'));
    const state = await context.saveSequence(0);
    for (let trial = 0; trial < 400; trial++) {
      const damaged = state.slice();
      const at = Math.floor((trial * state.length) / 400);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (trial % 8));
      await expect(context.restoreSequence(damaged)).rejects.toMatchObject({ code: 'STATE_INVALID' });
    }
    await expect(context.restoreSequence(state.slice(0, -1))).rejects.toMatchObject({
      code: 'STATE_INVALID',
    });
    await expect(context.restoreSequence(new Uint8Array())).rejects.toMatchObject({ code: 'STATE_INVALID' });
  });

  it('is refused where it does not fit, and by a context with other cache types', async () => {
    await context.clear();
    await context.eval(new Int32Array(200).fill(500));
    const state = await context.saveSequence(0);
    const small = await model.createContext({ contextSize: 256, sequences: 2 });
    await small.eval(new Int32Array(100).fill(500), { sequence: 1 });
    await expect(small.restoreSequence(state, 0)).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
    expect(await small.nextPosition(0)).toBe(0);
    await small.removeTokens(1);
    await small.restoreSequence(state, 0);
    expect(await small.nextPosition(0)).toBe(200);
    await small.close();
    const other = await model.createContext({ contextSize: 256, valueType: 'q8_0' });
    await expect(other.restoreSequence(state)).rejects.toMatchObject({ code: 'STATE_INVALID' });
    await other.close();
  });
});

describe('bad calls', () => {
  it.each([
    ['an id outside the vocabulary', () => context.eval([10_000_000]), 'INVALID_TOKEN'],
    ['a negative id', () => context.eval([-5]), 'INVALID_TOKEN'],
    ['no tokens', () => context.eval([]), 'INVALID_ARGUMENT'],
    [
      'a sequence that the context does not have',
      () => context.eval([1], { sequence: 3 }),
      'INVALID_SEQUENCE',
    ],
    [
      'a sequence above the limit of llama.cpp',
      () => context.eval([1], { sequence: 300 }),
      'INVALID_ARGUMENT',
    ],
    ['logits of a token that has none', () => context.logits(5000), 'NO_LOGITS'],
    ['a sampler that is none', () => context.sample({} as Sampler), 'INVALID_ARGUMENT'],
    [
      'all logits of more than a batch',
      () => context.eval(new Int32Array(100), { logits: 'all' }),
      'INVALID_ARGUMENT',
    ],
    ['a context with too many sequences', () => model.createContext({ sequences: 257 }), 'INVALID_ARGUMENT'],
    [
      'a context with absurdly many threads',
      () => model.createContext({ threads: 100_000 }),
      'INVALID_ARGUMENT',
    ],
    ['an unknown cache type', () => model.createContext({ keyType: 'q1' as 'f16' }), 'INVALID_ARGUMENT'],
    [
      'a context beyond all memory',
      () => model.createContext({ contextSize: 2_000_000_000 }),
      /OUT_OF_MEMORY|CONTEXT_CREATE_FAILED/,
    ],
  ])('%s: an error with a code', async (_name, action, code) => {
    await expect((async (): Promise<unknown> => action())()).rejects.toMatchObject({
      code: expect.stringMatching(code),
    });
  });

  it('a wrong handle is refused, not read as another object', async () => {
    const addon = getAddon();
    const sampler = addon.createCancelFlag() as unknown as ModelHandle;
    for (const wrong of [sampler, {}, null, undefined, 42, 'model'] as ModelHandle[]) {
      expect(() => addon.getModelInfo(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_HANDLE' }));
      expect(() => addon.tokenizeSync(wrong, 'x', true, true)).toThrow(
        expect.objectContaining({ code: 'INVALID_HANDLE' }),
      );
    }
  });

  it('sampling before any evaluation says what to do', async () => {
    const fresh = await model.createContext();
    await expect(fresh.sample(greedy)).rejects.toMatchObject({ code: 'NO_LOGITS' });
    await fresh.close();
  });

  it('a sampler of a closed model is refused', async () => {
    const other = await loadModel(await testModelPath(), { contextSize: 256 });
    const orphan = await other.createSampler();
    await other.close();
    await context.clear();
    await context.eval([1]);
    await expect(context.sample(orphan)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('a call behind a running evaluation is settled when the context closes', async () => {
    const closing = await model.createContext({ contextSize: 2048 });
    const evaluating = closing.eval(new Int32Array(1500).fill(5));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const behind = closing.logits();
    const results = Promise.allSettled([evaluating, behind]);
    await closing.close();
    expect((await results).map((result) => result.status)).toHaveLength(2);
  });

  it('a sampler may serve two contexts at once, but only of its own model', async () => {
    const other = await model.createContext();
    const random = await model.createSampler({ temperature: 1 });
    await context.clear();
    await Promise.all([context.eval([5, 6]), other.eval([7, 8])]);
    const both = Array.from({ length: 50 }, () => [context.sample(random), other.sample(random)]).flat();
    expect((await Promise.all(both)).every(Number.isInteger)).toBe(true);
    await other.close();

    await using second = await loadModel(await testModelPath(), { contextSize: 256, threads: 1 });
    const foreign = await second.createSampler();
    await expect(context.sample(foreign)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('a shift to positions beyond all bounds is refused', async () => {
    await context.clear();
    await context.eval([5, 6, 7]);
    await expect(context.shiftPositions(0, 0, -1, 2_147_483_000)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(context.shiftPositions(0, 0, -1, -5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await context.eval([8]);
    expect(await context.nextPosition()).toBe(4);
  });

  it('a closed context refuses, also calls that were waiting, and closes twice', async () => {
    const closing = await model.createContext();
    const waiting = closing.eval([1, 2, 3]);
    const closed = Promise.all([closing.close(), closing.close()]);
    await Promise.allSettled([waiting]);
    await closed;
    await expect(closing.eval([1])).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('a cache in F32', () => {
  it.each([
    ['of keys and values', { keyType: 'f32', valueType: 'f32' }],
    ['of keys', { keyType: 'f32', valueType: 'f16' }],
    ['of values', { keyType: 'f16', valueType: 'f32' }],
    ['of keys beside compressed values', { keyType: 'f32', valueType: 'q8_0' }],
  ] satisfies [string, ContextOptions][])(
    '%s gives the same logits however a prompt is cut',
    async (_, types) => {
      const directory = await mkdtemp(join(tmpdir(), 'llama-native-f32-'));
      await writeTinyGenerator(join(directory, 'tiny.gguf'));
      const tiny = await loadModel(join(directory, 'tiny.gguf'), { threads: 1, contextSize: 256 });
      const prompt = Array.from(
        { length: 150 },
        (_, index) => firstPrintable + ((index * 37) % printableCount),
      );
      const rows = [];
      for (const batchSize of [1, 40, 150]) {
        const cut = await tiny.createContext({ ...types, contextSize: 256, batchSize });
        await cut.eval(prompt);
        rows.push(await cut.logits());
      }
      const [one, ...others] = rows as [Float32Array, ...Float32Array[]];
      // Flash attention, which knows F16 only, makes 0.01 between batches of less than 64 tokens and others.
      for (const row of others) {
        expect(Math.max(...row.map((logit, token) => Math.abs(logit - (one[token] ?? 0))))).toBeLessThan(
          1e-4,
        );
      }
      await tiny.close();
      await rm(directory, { recursive: true });
    },
  );
});
