import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { bertSizes, rankingHead, writeBertModel, writeQwen3Ranker } from '../helpers/embedding-models.js';
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
  // About as long as the model reads, with the query and what stands around both.
  'word '.repeat(bertSizes.context - 20).trim(),
];

interface Subject {
  readonly name: string;
  readonly path: () => Promise<string>;
  /** Where llama-embedding needs other words for the same. */
  readonly referencePath?: () => Promise<string>;
}

/** llama-embedding puts special tokens around what a template gives, as llama-server does not. */
function writeWithTemplate(template: string): Promise<string> {
  const changes = { 'tokenizer.chat_template.rerank': text(template) };
  return writeBertModel({ pooling: 'rank', head: rankingHead, vocabulary: { changes } });
}

const subjects: readonly Subject[] = [
  {
    name: 'a BERT with a head of two layers',
    path: () => writeBertModel({ pooling: 'rank', head: rankingHead }),
  },
  {
    name: 'a BERT with a head of one layer',
    path: () => writeBertModel({ pooling: 'rank', head: { parts: ['output'] } }),
  },
  {
    name: 'a BERT that says yes or no',
    path: () =>
      writeBertModel({ pooling: 'rank', head: { parts: ['dense', 'output'], labels: ['yes', 'no'] } }),
  },
  {
    name: 'a BERT with a template for ranking',
    path: () => writeWithTemplate('[CLS] is it: {document} [SEP] what was asked: {query} [SEP]'),
    referencePath: () => writeWithTemplate('is it: {document} [SEP] what was asked: {query}'),
  },
  {
    name: "a BERT with XLM-RoBERTa's vocabulary, which has two tokens between texts",
    path: () => {
      const changes = { 'tokenizer.ggml.add_sep_token': { type: 'bool', value: true } } as const;
      return writeBertModel({
        pooling: 'rank',
        head: rankingHead,
        vocabulary: { name: 'nomic-bert-moe', changes },
      });
    },
  },
  { name: 'a Qwen3, which gives probabilities', path: writeQwen3Ranker },
];

describe.each(subjects)('scores of $name', (subject) => {
  let modelPath: string;
  let model: Model;

  beforeAll(async () => {
    const path = await subject.path();
    modelPath = (await subject.referencePath?.()) ?? path;
    model = await loadModel(path, settings);
  });
  afterAll(() => model.close());

  test('equal those of llama-embedding, many documents in a batch', { timeout: 120_000 }, async () => {
    const expected = await rankWithReference({ modelPath, ...settings }, query, documents);
    const scores = await model.rank(query, documents);
    expect(scores).toHaveLength(documents.length);
    for (const [index, score] of scores.entries())
      expect(score, documents[index]).toBeCloseTo(expected[index] ?? 0, 5);
    expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.01);
  });

  test('equal those of llama-embedding, each document alone', { timeout: 120_000 }, async () => {
    for (const document of documents.slice(0, 3)) {
      const [expected = 0] = await rankWithReference({ modelPath, ...settings }, query, [document]);
      const [score] = await model.rank(query, [document]);
      expect(score, document).toBeCloseTo(expected, 5);
    }
  });
});
