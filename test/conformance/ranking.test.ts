import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { bertSizes, rankingHead, writeBertModel } from '../helpers/embedding-models.js';
import { text } from '../helpers/gguf-values.js';
import { rankWithReference } from '../helpers/llama-tools.js';

const settings = { contextSize: 1024, batchSize: 256, threads: 1 };
const query = 'How tall is the Eiffel Tower?';
const documents = [
  'The Eiffel Tower is 330 metres tall.',
  'It is painted in three shades of brown.',
  '中文是一种美丽的语言。',
  'def fibonacci(n): return n',
  'tall',
  // As long as the model reads, with the query and the special tokens around both.
  'word '.repeat(bertSizes.context - 12).trim(),
];

interface Subject {
  readonly name: string;
  readonly path: () => Promise<string>;
}

const subjects: readonly Subject[] = [
  {
    name: 'a BERT with a head of two layers',
    path: () => writeBertModel('rank', rankingHead),
  },
  {
    name: 'a BERT with a head of one layer',
    path: () => writeBertModel('rank', { parts: ['output'] }),
  },
  {
    name: 'a BERT that says yes or no',
    path: () => writeBertModel('rank', { parts: ['dense', 'output'], labels: ['yes', 'no'] }),
  },
  {
    name: 'a BERT with a template for ranking',
    path: () =>
      writeBertModel('rank', rankingHead, {
        'tokenizer.chat_template.rerank': text('[CLS] is it: {document} [SEP] what was asked: {query} [SEP]'),
      }),
  },
];

describe.each(subjects)('scores of $name', (subject) => {
  let modelPath: string;
  let model: Model;

  beforeAll(async () => {
    modelPath = await subject.path();
    model = await loadModel(modelPath, settings);
  });
  afterAll(() => model.close());

  test('equal those of llama-embedding, many documents in a batch', { timeout: 120_000 }, async () => {
    const expected = await rankWithReference({ modelPath, ...settings }, query, documents);
    const scores = await model.rank(query, documents);
    expect(scores).toHaveLength(documents.length);
    for (const [index, score] of scores.entries()) expect(score, documents[index]).toBeCloseTo(expected[index] ?? 0, 4);
    expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.01);
  });

  test('equal those of llama-embedding, each document alone', { timeout: 120_000 }, async () => {
    for (const document of documents.slice(0, 3)) {
      const [expected = 0] = await rankWithReference({ modelPath, ...settings }, query, [document]);
      const [score] = await model.rank(query, [document]);
      expect(score, document).toBeCloseTo(expected, 4);
    }
  });
});
