import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type EmbedOptions, type EmbedProgress, loadModel, type Model } from '../../lib/index.js';
import { type ContextHandle, getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { bertSizes, writeBertModel } from '../helpers/embedding-models.js';
import { rejection } from '../helpers/gguf-files.js';
import { testModelPath } from '../helpers/model.js';
import { cosine, euclideanLength, rowsOf } from '../helpers/vectors.js';

const settings = { contextSize: 1024, batchSize: 256, threads: 1 };

/** A text of about this many tokens. */
function textOf(tokens: number): string {
  return 'word '.repeat(tokens - 1).trim();
}

/** In a fuller batch llama.cpp takes other kernels: `llama-embedding` itself then gives cosines down to 0.9999. */
function expectSame(actual: Float32Array | undefined, expected: Float32Array | undefined): void {
  expect(cosine(actual ?? new Float32Array(), expected ?? new Float32Array())).toBeGreaterThan(0.9998);
}

describe('model.embed', () => {
  let path: string;
  let model: Model;

  beforeAll(async () => {
    path = await testModelPath();
    model = await loadModel(path, settings);
  });
  afterAll(() => model.close());

  test('gives one vector of length 1 for a text', async () => {
    const embedding = await model.embed('The sky is blue.');
    expect(embedding).toBeInstanceOf(Float32Array);
    expect(embedding).toHaveLength(model.metadata.embeddingLength);
    expect(euclideanLength(embedding)).toBeCloseTo(1, 5);
  });

  test('gives a list for a list, also of one text or none', async () => {
    await expect(model.embed([])).resolves.toEqual([]);
    const [only, ...others] = await model.embed(['The sky is blue.']);
    expect(others).toEqual([]);
    expectSame(only, await model.embed('The sky is blue.'));
  });

  test('keeps the order of many texts of many lengths, whatever batches they share', async () => {
    const texts = Array.from({ length: 40 }, (_, index) => `${index} ${textOf(2 + ((index * 7) % 30))}`);
    const embeddings = await model.embed(texts);
    expect(embeddings).toHaveLength(texts.length);
    const zero = new Float32Array();
    for (const index of [0, 1, 17, 39]) {
      const alone = await model.embed(texts[index] ?? '');
      const cosines = embeddings.map((embedding) => cosine(embedding ?? zero, alone));
      expect(cosines.indexOf(Math.max(...cosines))).toBe(index);
      expectSame(embeddings[index], alone);
    }
  });

  test('gives texts of similar meaning more similar vectors', async () => {
    const [first, similar, other] = await model.embed([
      'The cat sleeps on the sofa.',
      'A cat is sleeping on the couch.',
      'SELECT count(*) FROM orders WHERE price > 10;',
    ]);
    const zero = new Float32Array();
    expect(cosine(first ?? zero, similar ?? zero)).toBeGreaterThan(cosine(first ?? zero, other ?? zero));
  });

  test('pools by the mean where the file asks for nothing', async () => {
    const text = 'Where the file asks for nothing.';
    expectSame(await model.embed(text), await model.embed(text, { pooling: 'mean' }));
    const tokens = rowsOf(
      await model.embed(text, { pooling: 'none', normalize: false }),
      model.metadata.embeddingLength,
    );
    const mean = tokens.reduce((sum, row) => sum.map((value, index) => value + (row[index] ?? 0)));
    expectSame(await model.embed(text, { normalize: false }), mean);
  });

  test('takes the vector of the first and of the last token', async () => {
    const text = 'First, second and last.';
    const tokens = rowsOf(await model.embed(text, { pooling: 'none' }), model.metadata.embeddingLength);
    expect(tokens).toHaveLength((await model.tokenize(text)).length);
    expectSame(await model.embed(text, { pooling: 'cls' }), tokens[0]);
    expectSame(await model.embed(text, { pooling: 'last' }), tokens.at(-1));
  });

  test('leaves the length of vectors alone if asked to', async () => {
    const embedding = await model.embed('The sky is blue.', { normalize: false });
    expect(Math.abs(euclideanLength(embedding) - 1)).toBeGreaterThan(0.1);
  });

  test('embeds texts longer than a batch, up to the context', async () => {
    const text = textOf(model.contextSize);
    expect(await model.tokenize(text)).toHaveLength(model.contextSize - 1);
    const [long, short] = await model.embed([text, 'short']);
    expect(euclideanLength(long ?? new Float32Array())).toBeCloseTo(1, 5);
    expectSame(short, await model.embed('short'));
  });

  test('refuses a text that is longer than the context, naming it', async () => {
    const error = await rejection(model.embed(['short', textOf(2000)]), 'PROMPT_TOO_LONG');
    expect(error.message).toContain('texts[1] has 1999');
    expect(error.details).toEqual({ index: 1, tokens: 1999, longest: model.contextSize });
  });

  test('cuts such a text if asked to', async () => {
    const tokens = await model.tokenize(textOf(2000));
    const beginning = await model.detokenize(tokens.subarray(0, model.contextSize));
    expectSame(await model.embed(textOf(2000), { truncate: true }), await model.embed(beginning));
  });

  test('refuses a text without any token', async () => {
    const error = await rejection(model.embed(['some', '']), 'INVALID_ARGUMENT');
    expect(error.message).toContain('texts[1] has none');
  });

  test.each<[string, unknown, unknown, RegExp]>([
    ['a number as text', 5, {}, /a string or an array of strings for texts; received 5/],
    ['a list with a number', ['a', 5], {}, /a string for texts\[1\]; received 5/],
    ['an unknown option', 'a', { pool: 'mean' }, /Unknown option pool in embed options/],
    [
      'an unknown pooling',
      'a',
      { pooling: 'max' },
      /one of mean, cls, last, none for pooling; received "max"/,
    ],
    ['a wrong normalize', 'a', { normalize: 1 }, /true or false for normalize/],
    ['a wrong truncate', 'a', { truncate: 'yes' }, /true or false for truncate/],
    ['a wrong listener', 'a', { onProgress: 1 }, /a function for onProgress/],
    ['a wrong signal', 'a', { signal: {} }, /an AbortSignal for signal/],
    ['options that are no object', 'a', null, /an object for embed options/],
  ])('refuses %s', async (_, texts, options, message) => {
    const error = await rejection(model.embed(texts as string, options as EmbedOptions), 'INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  test('tells how far it has come after each batch', async () => {
    const events: EmbedProgress[] = [];
    const texts = Array.from({ length: 6 }, () => textOf(100));
    await model.embed(texts, { onProgress: (event) => events.push(event) });
    expect(events).toEqual([
      { completed: 2, total: 6 },
      { completed: 4, total: 6 },
      { completed: 6, total: 6 },
    ]);
  });

  test('ends with what the listener throws', async () => {
    const failure = new Error('of the listener');
    const onProgress = vi.fn(() => {
      throw failure;
    });
    const texts = Array.from({ length: 6 }, () => textOf(100));
    await expect(model.embed(texts, { onProgress })).rejects.toBe(failure);
    expect(onProgress).toHaveBeenCalledTimes(1);
  });

  test('can be cancelled between batches, and others go on', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const texts = Array.from({ length: 50 }, () => textOf(200));
    const onProgress = vi.fn(() => controller.abort(reason));
    const cancelled = rejection(model.embed(texts, { signal: controller.signal, onProgress }), 'ABORTED');
    const other = model.embed(Array.from({ length: 3 }, () => textOf(200)));
    expect((await cancelled).cause).toBe(reason);
    expect(onProgress).toHaveBeenCalledTimes(1);
    expect(await other).toHaveLength(3);
  });

  test('does not begin with a signal that has fired', async () => {
    const error = await rejection(model.embed('text', { signal: AbortSignal.abort('why') }), 'ABORTED');
    expect(error.cause).toBe('why');
  });

  test('shares batches among calls, so that a short call does not wait for a long one', async () => {
    const order: string[] = [];
    const long = model.embed(Array.from({ length: 12 }, () => textOf(200))).then(() => order.push('long'));
    const short = model.embed('short').then(() => order.push('short'));
    await Promise.all([long, short]);
    expect(order).toEqual(['short', 'long']);
  });

  test('works beside a generation', async () => {
    const alone = await model.generate('The capital of France is', { temperature: 0, maxTokens: 8 }).result;
    const generation = model.generate('The capital of France is', { temperature: 0, maxTokens: 8 });
    const [embedding, result] = await Promise.all([model.embed('Paris'), generation.result]);
    expect(result.text).toBe(alone.text);
    expectSame(embedding, await model.embed('Paris'));
  });

  test('ends with CLOSED when the model is closed, and later calls are refused', async () => {
    const closing = await loadModel(path, settings);
    const calls = ['mean', 'last'].map((pooling) =>
      rejection(
        closing.embed(
          Array.from({ length: 20 }, () => textOf(200)),
          { pooling: pooling as 'mean' | 'last', onProgress: () => void closing.close() },
        ),
        'CLOSED',
      ),
    );
    await Promise.all(calls);
    await closing.close();
    await rejection(closing.embed('text'), 'CLOSED');
  });

  test('ends with CLOSED when the model is closed at once', async () => {
    const closing = await loadModel(path, settings);
    const call = rejection(closing.embed('text'), 'CLOSED');
    await closing.close();
    await call;
  });

  test('needs weights', async () => {
    await using vocabulary = await loadModel(path, { vocabOnly: true });
    await rejection(vocabulary.embed('text'), 'NO_WEIGHTS');
  });
});

describe('model.embed of a model that only encodes', () => {
  test.each(['mean', 'cls', 'last'] as const)('pools by %s if its file says so', async (pooling) => {
    await using model = await loadModel(await writeBertModel({ pooling }), { threads: 1 });
    const text = 'A text of some words';
    expect(await model.embed(text)).toEqual(await model.embed(text, { pooling }));
  });

  test('refuses a model for ranking unless a pooling is chosen', async () => {
    await using model = await loadModel(await writeBertModel({ pooling: 'rank' }), { threads: 1 });
    const error = await rejection(model.embed('text'), 'MODEL_UNSUPPORTED');
    expect(error.message).toContain('ranking');
    expect(await model.embed('text', { pooling: 'cls' })).toHaveLength(bertSizes.embedding);
  });

  test('refuses texts beyond the positions it has learned, and keeps their end when it cuts', async () => {
    await using model = await loadModel(await writeBertModel({ pooling: 'mean' }), {
      threads: 1,
      contextSize: 512,
    });
    const text = textOf(200);
    const error = await rejection(model.embed(text), 'PROMPT_TOO_LONG');
    expect(error.details).toMatchObject({ longest: bertSizes.context });
    // [CLS] and [SEP] stand around the words that are left.
    expectSame(await model.embed(text, { truncate: true }), await model.embed(textOf(bertSizes.context - 1)));
  });

  test('gives an empty text the embedding of its special tokens', async () => {
    await using model = await loadModel(await writeBertModel({ pooling: 'mean' }), { threads: 1 });
    expect(euclideanLength(await model.embed(''))).toBeCloseTo(1, 5);
  });

  test('embeds hundreds of texts in one batch', async () => {
    await using model = await loadModel(await writeBertModel({ pooling: 'cls' }), {
      threads: 1,
      batchSize: 4096,
    });
    const texts = Array.from({ length: 600 }, (_, index) => `text ${index}`);
    const embeddings = await model.embed(texts);
    for (const index of [0, 255, 256, 599])
      expectSame(embeddings[index], await model.embed(texts[index] ?? ''));
  });
});

describe('the addon refuses what llama.cpp would abort on', () => {
  let handle: ModelHandle;
  let context: ContextHandle;
  const addon = getAddon();
  const options = { contextSize: 256, batchSize: 256, sequences: 4, threads: 1 };
  const tokens = (count: number) => ({ tokens: new Int32Array(count).fill(2000), normalize: true });

  beforeAll(async () => {
    const load = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
    handle = await addon.loadModel(await writeBertModel(), load, addon.createCancelFlag(), () => {});
    ({ handle: context } = await addon.createContext(handle, { ...options, pooling: 'mean' }, () => {}));
  });
  afterAll(async () => {
    await addon.closeContext(context);
    await addon.closeModel(handle);
  });

  test.each([
    ['no text', []],
    ['a text without tokens', [tokens(3), tokens(0)]],
    ['a text beyond the positions the model has learned', [tokens(bertSizes.context + 1)]],
    ['more tokens than a batch holds', [tokens(100), tokens(100), tokens(100)]],
    ['more texts than sequences', Array.from({ length: 5 }, () => tokens(2))],
  ])('%s', async (_, texts) => {
    await rejection(addon.embed(context, texts), 'INVALID_ARGUMENT');
    const [embedding] = await addon.embed(context, [tokens(bertSizes.context)]);
    expect(embedding).toHaveLength(bertSizes.embedding);
  });

  test('a token outside the vocabulary', () => {
    const texts = [{ tokens: Int32Array.of(1, 999_999), normalize: true }];
    expect(() => addon.embed(context, texts)).toThrow(/token ids from 0 to 30521; received 999999/);
  });

  test('a context that was created without a pooling', async () => {
    const plain = await addon.createContext(handle, options, () => {});
    await rejection(addon.embed(plain.handle, [tokens(3)]), 'INVALID_ARGUMENT');
    await addon.closeContext(plain.handle);
  });

  test('an unknown pooling', () => {
    const unknown = { ...options, pooling: 'max' as 'mean' };
    expect(() => addon.createContext(handle, unknown, () => {})).toThrow(/mean, cls, last, rank or none/);
  });
});
