import { copyFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type GenerateOptions,
  LlamaNativeError,
  loadModel,
  type Model,
  readGgufHeader,
} from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

// One thread: on a busy machine two threads that wait for each other are slower than one.
let model: Model;
let several: Model;

beforeAll(async () => {
  const path = await testModelPath();
  model = await loadModel(path, { contextSize: 1024, threads: 1 });
  several = await loadModel(path, { contextSize: 1024, threads: 1, sequences: 2 });
});
afterAll(async () => {
  await model.close();
  await several.close();
});

/**
 * What the model says with nothing random. The prompt is evaluated before, so that every call starts from the same
 * cached state: a prompt in one batch and its tokens one by one may round differently, and a small model sits on
 * many fences.
 */
async function settledText(prompt: string, options: GenerateOptions): Promise<string> {
  await model.generate(prompt, { ...options, maxTokens: 1 }).result;
  return (await model.generate(prompt, options).result).text;
}

const greedy = { temperature: 0, maxTokens: 24 } as const;

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (LlamaNativeError.isInstance(error)) return error.code;
    throw error;
  }
  return 'no error';
}

describe('generation', () => {
  it('streams chunks whose texts and tokens add up to the result', async () => {
    const generation = model.generate('Once upon a time', greedy);
    const chunks = [];
    for await (const chunk of generation) chunks.push(chunk);
    const result = await generation.result;

    expect(chunks.length).toBeGreaterThan(5);
    expect(chunks.map((chunk) => chunk.text).join('')).toBe(result.text);
    expect(chunks.flatMap((chunk) => chunk.tokens)).toEqual(result.tokens);
    expect(result.tokens).toHaveLength(24);
    expect(result.finishReason).toBe('length');
    expect(result.usage.completionTokens).toBe(24);
    expect(result.text).toBe(await model.detokenize(result.tokens));
  });

  it('tells where the time went', async () => {
    const { timings, usage } = await model.generate('The sea is', greedy).result;
    expect(usage.promptTokens).toBe(3);
    expect(timings.promptMs).toBeGreaterThan(0);
    expect(timings.timeToFirstTokenMs).toBeGreaterThanOrEqual(timings.promptMs);
    expect(timings.totalMs).toBeGreaterThanOrEqual(timings.timeToFirstTokenMs + timings.completionMs - 1);
    const expected = (23 * 1000) / timings.completionMs;
    expect(timings.completionTokensPerSecond).toBeCloseTo(expected, 5);
  });

  it('works without iterating, and when iterated late or twice', async () => {
    const generation = model.generate('Once upon a time', greedy);
    const { text } = await generation.result;
    const read = async () => {
      let all = '';
      for await (const chunk of generation) all += chunk.text;
      return all;
    };
    expect(await read()).toBe(text);
    expect(await read()).toBe(text);
  });

  it('makes the same text from the same seed, and another from another seed', async () => {
    const options = { temperature: 1.2, maxTokens: 24, topK: 0, topP: 1, minP: 0 };
    const first = await settledText('My favourite animal is', { ...options, seed: 7 });
    expect(await settledText('My favourite animal is', { ...options, seed: 7 })).toBe(first);
    expect(await settledText('My favourite animal is', { ...options, seed: 8 })).not.toBe(first);
  });

  it('accepts tokens as a prompt and gives the same text as for their text', async () => {
    const tokens = await model.tokenize('Once upon a time');
    const fromText = await settledText('Once upon a time', greedy);
    const fromTokens = await model.generate(tokens, greedy).result;
    expect(fromTokens.text).toBe(fromText);
  });

  it('goes on after the end of a sequence when asked to', async () => {
    const prompt = '<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\n';
    const options = { temperature: 0, maxTokens: 80, parseSpecial: true } as const;
    const ended = await model.generate(prompt, options).result;
    expect(ended.finishReason).toBe('stop');
    expect(ended.stopString).toBeUndefined();
    const longer = await model.generate(prompt, { ...options, ignoreEndOfSequence: true }).result;
    expect(longer.finishReason).toBe('length');
    expect(longer.usage.completionTokens).toBe(80);
  });

  it('applies penalties: a repeated token becomes less likely', async () => {
    const prompt = 'one two one two one two one two one two';
    const plain = await model.generate(prompt, greedy).result;
    const penalized = await model.generate(prompt, { ...greedy, repeatPenalty: 2 }).result;
    expect(new Set(penalized.tokens).size).toBeGreaterThan(new Set(plain.tokens).size);
  });

  it('reuses the cached prefix of an earlier prompt', async () => {
    const prompt = 'A long list of fruit: apple, banana, cherry, damson, elderberry, fig, grape';
    await model.generate(prompt, { ...greedy, maxTokens: 2 }).result;
    const second = await model.generate(`${prompt}, honeydew`, { ...greedy, maxTokens: 2 }).result;
    expect(second.usage.cachedTokens).toBeGreaterThan(second.usage.promptTokens - 8);
  });

  it('gives the same text from a cached prefix as from nothing', async () => {
    const prompt = 'The three primary colours are red, yellow and blue. Mixing them';
    const first = await settledText(prompt, greedy);
    const warm = await model.generate(prompt, greedy).result;
    expect(warm.usage.cachedTokens).toBe(warm.usage.promptTokens - 1);
    expect(warm.text).toBe(first);
  });
});

describe('stop strings', () => {
  it('end the text before them, wherever token borders lie', async () => {
    const text = await settledText('Once upon a time', { ...greedy, maxTokens: 40 });
    for (const [from, to] of [
      [10, 12],
      [15, 24],
      [20, 21],
    ] as const) {
      const stop = text.slice(from, to);
      const result = await model.generate('Once upon a time', { ...greedy, maxTokens: 40, stop }).result;
      expect(result.text).toBe(text.slice(0, text.indexOf(stop)));
      expect(result.finishReason).toBe('stop');
      expect(result.stopString).toBe(stop);
    }
  });

  it('are never shown in part while streaming', async () => {
    const full = await settledText('Once upon a time', { ...greedy, maxTokens: 40 });
    const stop = full.slice(12, 30);
    let shown = '';
    for await (const chunk of model.generate('Once upon a time', { ...greedy, maxTokens: 40, stop })) {
      shown += chunk.text;
      expect(full.slice(0, 12).startsWith(shown)).toBe(true);
    }
    expect(shown).toBe(full.slice(0, 12));
  });

  it('that only begin to match are shown in the end', async () => {
    const full = await settledText('Once upon a time', greedy);
    const stop = `${full.slice(-6)}###`;
    const result = await model.generate('Once upon a time', { ...greedy, stop }).result;
    expect(result.text).toBe(full);
    expect(result.finishReason).toBe('length');
  });
});

describe('characters', () => {
  it('arrive whole, though tokens of Chinese text and emoji end inside them', async () => {
    const prompt = '你好，世界！今天天气很好。😀🎉 你好，世界！今天天气很好。😀🎉 你好，世界！今天';
    const generation = model.generate(prompt, { temperature: 0, maxTokens: 60 });
    let largestTokenCount = 0;
    let text = '';
    for await (const chunk of generation) {
      expect(chunk.text).not.toContain('�');
      largestTokenCount = Math.max(largestTokenCount, chunk.tokens.length);
      text += chunk.text;
    }
    expect(text).toMatch(/[一-鿿]/);
    // Some characters are made of several tokens; their chunk waits for all of them.
    expect(largestTokenCount).toBeGreaterThan(1);
  });
});

describe('cancelling', () => {
  it('by leaving the loop stops the work and keeps what was made', async () => {
    const generation = model.generate('Once upon a time', { temperature: 0, maxTokens: 500 });
    let count = 0;
    for await (const _ of generation) if (++count === 3) break;
    const result = await generation.result;
    expect(result.finishReason).toBe('cancelled');
    expect(result.usage.completionTokens).toBeLessThan(100);
    expect(result.text.length).toBeGreaterThan(0);
  });

  it('by a signal rejects with an AbortError that carries the text', async () => {
    const controller = new AbortController();
    const generation = model.generate('Once upon a time', {
      temperature: 0,
      maxTokens: 500,
      signal: controller.signal,
    });
    let text = '';
    const reading = (async () => {
      for await (const chunk of generation) {
        text += chunk.text;
        if (text.length > 10) controller.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError', code: 'ABORTED' });
    await expect(generation.result).rejects.toMatchObject({
      details: { text: expect.stringContaining(text) },
    });
  });

  it('works before the start, while queued, and during the prompt', async () => {
    const aborted = model.generate('x', { signal: AbortSignal.abort() });
    expect(await codeOf(() => aborted.result)).toBe('ABORTED');

    const running = [1, 2].map((n) => several.generate(`Number ${n}:`, { temperature: 0, maxTokens: 500 }));
    const queued = new AbortController();
    const waiting = several.generate('third', { maxTokens: 5, signal: queued.signal });
    setTimeout(() => queued.abort(), 20);
    expect(await codeOf(() => waiting.result)).toBe('ABORTED');
    for (const generation of running) {
      for await (const _ of generation) break;
    }

    const during = new AbortController();
    const long = model.generate('word '.repeat(900), { maxTokens: 5, signal: during.signal });
    setTimeout(() => during.abort(), 30);
    expect(await codeOf(() => long.result)).toBe('ABORTED');
    expect((await model.generate('Still alive', greedy).result).tokens).toHaveLength(24);
  });
});

describe('several generations', () => {
  it('run at once, more wait their turn, and each gets its own text', async () => {
    const prompts = ['The sun is', 'Water is', 'Trees are', 'Music is', 'Snow is'];
    const alone: string[] = [];
    for (const prompt of prompts) alone.push((await several.generate(prompt, greedy).result).text);
    const together = await Promise.all(prompts.map((prompt) => several.generate(prompt, greedy).result));
    // Batched arithmetic may round differently; the beginning of the texts must agree all the same.
    together.forEach((result, index) => {
      expect(result.tokens).toHaveLength(24);
      expect(result.text.slice(0, 10)).toBe(alone[index]?.slice(0, 10));
    });
  });

  it('that outgrow the KV cache together are paused and finished, none fails', async () => {
    const small = await loadModel(await testModelPath(), { contextSize: 256, sequences: 3, threads: 1 });
    const results = await Promise.all(
      ['One', 'Two', 'Three'].map(
        (prompt) =>
          small.generate(prompt, { temperature: 0, maxTokens: 120, ignoreEndOfSequence: true }).result,
      ),
    );
    expect(results.map((result) => result.usage.completionTokens)).toEqual([120, 120, 120]);
    await small.close();
  });
});

describe('a shared KV cache', () => {
  it('holds one large prompt after another, however quickly they follow', async () => {
    const small = await loadModel(await testModelPath(), { contextSize: 256, sequences: 2, threads: 1 });
    const prompts = [7, 8].map((token) => new Int32Array(180).fill(token));
    const results = await Promise.all(
      prompts.map((tokens) => small.generate(tokens, { maxTokens: 3 }).result),
    );
    expect(results.map((result) => result.usage.completionTokens)).toEqual([3, 3]);
    await small.close();
  });

  it('is not harmed by a call that is refused', async () => {
    const small = await loadModel(await testModelPath(), { contextSize: 256, sequences: 2, threads: 1 });
    const first = new Int32Array(150).fill(7);
    await small.generate(first, { maxTokens: 2 }).result;
    await expect(small.generate([1, 60_000], { maxTokens: 2 }).result).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
    });
    const results = await Promise.all(
      [8, 9].map((token) => small.generate(new Int32Array(150).fill(token), { maxTokens: 2 }).result),
    );
    expect(results.map((result) => result.usage.completionTokens)).toEqual([2, 2]);
    await small.close();
  });
});

describe('the edges of sampling', () => {
  it('the largest seed gives the same text each time', async () => {
    const options = { temperature: 1.5, topK: 0, topP: 1, minP: 0, seed: 0xffffffff, maxTokens: 12 };
    expect(await settledText('One day', options)).toBe(await settledText('One day', options));
  });

  it.each([1e-7, 1e-38, 1e-45])('a temperature of %f is the same as none', async (temperature) => {
    const expected = await settledText('One day', { temperature: 0, maxTokens: 12 });
    expect(await settledText('One day', { temperature, maxTokens: 12 })).toBe(expected);
  });

  it('a model whose values are no numbers ends in an error, not in silence', async () => {
    const path = await testModelPath();
    const header = await readGgufHeader(path);
    const embedding = header.tensors.find((tensor) => tensor.name === 'token_embd.weight');
    if (embedding?.type !== 'Q8_0') throw new Error('expected the embeddings of the test model at Q8_0');
    const directory = await mkdtemp(join(tmpdir(), 'llama-native-nan-'));
    const damaged = join(directory, 'nan.gguf');
    await copyFile(path, damaged);
    // Each block of Q8_0 is a half-precision scale and 32 bytes: make every scale not a number.
    const blocks = Buffer.alloc(embedding.byteSize);
    for (let at = 0; at < blocks.length; at += 34) blocks.writeUInt16LE(0x7e00, at);
    const file = await open(damaged, 'r+');
    await file.write(blocks, 0, blocks.length, header.dataOffset + embedding.offset);
    await file.close();
    const broken = await loadModel(damaged, { contextSize: 256, threads: 1 });
    for (const temperature of [0, 1]) {
      const generation = broken.generate('Hi', { temperature, maxTokens: 5 });
      await expect(generation.result).rejects.toMatchObject({ code: 'DECODE_FAILED' });
    }
    await broken.close();
    await rm(directory, { recursive: true });
  });
});

describe('bad input', () => {
  it.each([
    ['temperature', Number.NaN],
    ['temperature', -1],
    ['temperature', 'warm'],
    ['topP', 1.5],
    ['minP', -0.1],
    ['topK', 1.5],
    ['topK', -1],
    ['repeatPenalty', 0],
    ['repeatPenalty', Number.POSITIVE_INFINITY],
    ['frequencyPenalty', Number.NEGATIVE_INFINITY],
    ['seed', -1],
    ['seed', 2 ** 32],
    ['maxTokens', 0],
    ['maxTokens', 1e12],
    ['stop', ''],
    ['stop', [1]],
    ['signal', {}],
    ['ignoreEndOfSequence', 'yes'],
    ['tempreature', 1],
  ])('%s: %s is refused with the name of the option', async (name, value) => {
    const options = { [name]: value } as object;
    expect(() => model.generate('x', options)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
    );
  });

  it('a prompt longer than the context names both sizes', async () => {
    const generation = model.generate('word '.repeat(3000));
    await expect(generation.result).rejects.toMatchObject({
      code: 'PROMPT_TOO_LONG',
      details: { contextSize: 1024, promptTokens: expect.any(Number) },
    });
  });

  it('an empty prompt, ids outside the vocabulary, and other kinds of prompt are refused', async () => {
    expect(await codeOf(() => model.generate('', greedy).result)).toBe('INVALID_ARGUMENT');
    expect(await codeOf(() => model.generate([], greedy).result)).toBe('INVALID_ARGUMENT');
    expect(await codeOf(() => model.generate([1, 9_999_999], greedy).result)).toBe('INVALID_TOKEN');
    expect(await codeOf(() => model.generate([-1], greedy))).toBe('INVALID_TOKEN');
    expect(await codeOf(() => model.generate([1.5], greedy))).toBe('INVALID_TOKEN');
    expect(await codeOf(() => model.generate(7 as unknown as string, greedy))).toBe('INVALID_ARGUMENT');
  });

  it('a context that fills up ends the text with reason length', async () => {
    const small = await loadModel(await testModelPath(), { contextSize: 256, threads: 1 });
    const result = await small.generate('Hello', { temperature: 0, ignoreEndOfSequence: true }).result;
    expect(result.finishReason).toBe('length');
    expect(result.usage.promptTokens + result.usage.completionTokens).toBe(small.contextSize + 1);
    await small.close();
  });
});
