import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model, type RankOptions, type RankProgress } from '../../lib/index.js';
import { addonOf, getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { type BertHead, bertSizes, rankingHead, writeBertModel } from '../helpers/embedding-models.js';
import { rejection } from '../helpers/gguf-files.js';
import { text } from '../helpers/gguf-values.js';
import { testModelPath } from '../helpers/model.js';

const settings = { batchSize: 128, threads: 1 };
const query = 'How tall is it?';
/**
 * In a fuller batch llama.cpp takes other kernels: `llama-embedding` itself then gives scores that differ by 0.001, of
 * documents whose scores lie 0.65 apart.
 */
const digits = 2;

/** A text of this many tokens, without the special ones. */
function textOf(tokens: number): string {
  return 'word '.repeat(tokens).trim();
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, score] of actual.entries())
    expect(score).toBeCloseTo(expected[index] ?? Number.NaN, digits);
}

function load(head: BertHead, vocabulary: Parameters<typeof writeBertModel>[0] = {}): Promise<Model> {
  return writeBertModel({ pooling: 'rank', head, ...vocabulary }).then((path) => loadModel(path, settings));
}

describe('model.rank', () => {
  let path: string;
  let model: Model;

  beforeAll(async () => {
    path = await writeBertModel({ pooling: 'rank', head: rankingHead });
    model = await loadModel(path, settings);
  });
  afterAll(() => model.close());

  test('gives a score for each document, in their order, whatever batches they share', async () => {
    const documents = Array.from({ length: 30 }, (_, index) => `${index} ${textOf(1 + ((index * 7) % 40))}`);
    const scores = await model.rank(query, documents);
    expect(new Set(scores).size).toBeGreaterThan(20);
    for (const index of [0, 1, 17, 29]) {
      expectClose(await model.rank(query, [documents[index] ?? '']), [scores[index] ?? Number.NaN]);
    }
  });

  test('gives nothing for no documents, and a score for empty ones', async () => {
    expect(await model.rank(query, [])).toEqual([]);
    const [empty, other] = await model.rank(query, ['', 'other']);
    expect(Number.isFinite(empty)).toBe(true);
    expect(empty).not.toBeCloseTo(other ?? 0, digits);
  });

  test('reads the query as well as the document, and which is which', async () => {
    const [one, other] = [await model.rank('cat', ['dog']), await model.rank('mouse', ['dog'])];
    expect(Math.abs((one[0] ?? 0) - (other[0] ?? 0))).toBeGreaterThan(1e-3);
    const swapped = await model.rank('dog', ['cat']);
    expect(Math.abs((one[0] ?? 0) - (swapped[0] ?? 0))).toBeGreaterThan(1e-3);
  });

  test('serves calls at the same time, also beside embeddings', async () => {
    const documents = ['a tower', 'a cat', textOf(60)];
    const alone = await model.rank(query, documents);
    const [first, second, embedding] = await Promise.all([
      model.rank(query, documents),
      model.rank(query, [...documents].reverse()),
      model.embed('a tower', { pooling: 'cls' }),
    ]);
    expectClose(first, alone);
    expectClose(second, [...alone].reverse());
    expect(embedding).toHaveLength(bertSizes.embedding);
  });

  test('ranks a document that just fits, and refuses one token more with both numbers', async () => {
    const room = bertSizes.context - 3 - (await model.tokenize(query, { addSpecial: false })).length;
    expect(await model.rank(query, [textOf(room)])).toHaveLength(1);
    const error = await rejection(model.rank(query, ['short', textOf(room + 1)]), 'PROMPT_TOO_LONG');
    expect(error.message).toMatch(/at most 128 tokens; with documents\[1\] it has 129/);
    expect(error.details).toEqual({ index: 1, tokens: 129, longest: bertSizes.context });
  });

  test('tells after each batch how far it has come, and how many tokens there are', async () => {
    const events: RankProgress[] = [];
    const documents = Array.from({ length: 4 }, () => textOf(60));
    await model.rank('word word', documents, { onProgress: (event) => events.push(event) });
    expect(events.at(-1)).toEqual({ completed: 4, total: 4, tokens: 4 * 65 });
    expect(events.map(({ completed }) => completed)).toEqual([3, 4]);
  });

  test('ends with what the listener throws', async () => {
    const failure = new Error('of the listener');
    const onProgress = () => {
      throw failure;
    };
    await expect(model.rank(query, ['a'], { onProgress })).rejects.toBe(failure);
  });

  test('ends when it is cancelled, before and while it runs', async () => {
    await rejection(model.rank(query, ['a'], { signal: AbortSignal.abort() }), 'ABORTED');
    const controller = new AbortController();
    const documents = Array.from({ length: 400 }, () => textOf(60));
    let completed = 0;
    const call = model.rank(query, documents, {
      signal: controller.signal,
      onProgress: (event) => {
        completed = event.completed;
        controller.abort();
      },
    });
    const error = await rejection(call, 'ABORTED');
    expect(error.message).toContain('Ranking was cancelled');
    expect(completed).toBeLessThan(documents.length);
    expect(await model.rank(query, ['a'])).toHaveLength(1);
  });

  test.each<[string, unknown, unknown, unknown, RegExp]>([
    ['a number as query', 5, ['a'], {}, /a string for query; received 5/],
    ['a text as documents', 'q', 'a', {}, /an array of strings for documents; received "a"/],
    ['a document that is no text', 'q', ['a', { text: 'b' }], {}, /a string for documents\[1\]/],
    ['an unknown option', 'q', ['a'], { truncate: true }, /Unknown option truncate in rank options/],
    ['a wrong listener', 'q', ['a'], { onProgress: 1 }, /a function for onProgress/],
    ['a wrong signal', 'q', ['a'], { signal: {} }, /an AbortSignal for signal/],
    ['options that are no object', 'q', ['a'], null, /an object for rank options/],
  ])('refuses %s', async (_, wrongQuery, documents, options, message) => {
    const call = model.rank(wrongQuery as string, documents as string[], options as RankOptions);
    expect((await rejection(call, 'INVALID_ARGUMENT')).message).toMatch(message);
  });

  test('ends with CLOSED when the model is closed, at once or before', async () => {
    const closing = await loadModel(path, settings);
    const call = rejection(closing.rank(query, ['a']), 'CLOSED');
    await closing.close();
    await call;
    await rejection(closing.rank(query, ['a']), 'CLOSED');
  });

  test('needs weights', async () => {
    await using vocabulary = await loadModel(path, { vocabOnly: true });
    await rejection(vocabulary.rank(query, ['a']), 'NO_WEIGHTS');
  });
});

describe('model.rank with heads of other kinds', () => {
  test('takes the output that says yes, wherever it is', async () => {
    const parts = ['dense', 'output'] as const;
    await using first = await load({ parts, labels: ['yes', 'no'] });
    await using second = await load({ parts, labels: ['no', 'yes'] });
    const scores = [...(await first.rank(query, ['a'])), ...(await second.rank(query, ['a']))];
    expect(Math.abs((scores[0] ?? 0) - (scores[1] ?? 0))).toBeGreaterThan(1e-3);
  });

  test.each<[string, BertHead, RegExp]>([
    ['that has none', { parts: [] }, /has no head that gives scores/],
    ['whose head has only a hidden layer', { parts: ['dense'] }, /has no head/],
    [
      'that has labels but nothing to tell them by',
      { parts: [], labels: Array(200).fill('x') },
      /has no head/,
    ],
    [
      'that tells other labels apart',
      { parts: ['dense', 'output'], labels: ['contradiction', 'entailment', 'neutral'] },
      /tells 3 labels apart \(contradiction, entailment, neutral\)/,
    ],
  ])('refuses a model %s', async (_, head, message) => {
    await using model = await load(head);
    expect((await rejection(model.rank(query, ['a']), 'MODEL_UNSUPPORTED')).message).toMatch(message);
    expect(await model.embed('a', { pooling: 'cls' })).toHaveLength(bertSizes.embedding);
  });

  test('refuses a model for generation', async () => {
    await using model = await loadModel(await testModelPath(), { ...settings, contextSize: 256 });
    await rejection(model.rank(query, ['a']), 'MODEL_UNSUPPORTED');
  });

  test('refuses a model that does not say where a document begins', async () => {
    const changes = { 'tokenizer.ggml.add_sep_token': { type: 'bool', value: false } } as const;
    await using model = await load(rankingHead, { vocabulary: { changes } });
    const error = await rejection(model.rank(query, ['a']), 'MODEL_UNSUPPORTED');
    expect(error.message).toContain('how a query and a document are put together');
  });

  test('reads control tokens in texts as text, those of a template as what they are', async () => {
    const changes = {
      'tokenizer.chat_template.rerank': text('[CLS] {query} [SEP] {document} [SEP]'),
    };
    await using model = await load(rankingHead, { vocabulary: { changes } });
    const count = async (document: string) => {
      let tokens = 0;
      const onProgress = (progress: RankProgress) => {
        tokens = progress.tokens;
      };
      await model.rank('cat', [document], { onProgress });
      return tokens;
    };
    expect(await count('dog')).toBe(5);
    expect(await count('{query}')).toBe(7); // three tokens, and not the query
    expect(await count('[SEP]')).toBe(7); // [, sep and ]
  });
});

describe('the addon', () => {
  test('makes no context that ranks for a model without a head', async () => {
    const addon = getAddon();
    const path = await writeBertModel({ pooling: 'rank', head: { parts: [], labels: Array(200).fill('x') } });
    const options = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
    const model: ModelHandle = await addon.loadModel(path, options, addon.createCancelFlag(), () => {});
    const context = { contextSize: 256, batchSize: 256, sequences: 1, threads: 1, pooling: 'rank' } as const;
    const created = (async () => addonOf(model).createContext(model, context, () => {}))();
    await rejection(created, 'MODEL_UNSUPPORTED');
    await addon.closeModel(model);
  });
});
