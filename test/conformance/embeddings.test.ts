import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model, type Pooling } from '../../lib/index.js';
import { bertSizes, writeBertModel } from '../helpers/embedding-models.js';
import { embedWithReference } from '../helpers/llama-tools.js';
import { testModelPath } from '../helpers/model.js';
import { writeMambaModel } from '../helpers/state-models.js';
import { cosine, euclideanLength, rowsOf } from '../helpers/vectors.js';

const settings = { contextSize: 1024, batchSize: 512, threads: 1 };
const poolings: readonly Pooling[] = ['mean', 'cls', 'last', 'none'];

const texts = [
  'Hello world',
  'The Eiffel Tower is 330 metres tall.',
  '中文是一种美丽的语言。我们用它写诗，也用它写程序。',
  'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n',
];
/** Embeddings of different texts come as close as 0.9996 here: first tokens attract the attention of all others. */
const equalCosine = 0.99999;
/** More tokens than `batchSize`, so that the context has to grow. */
const longText = Array.from({ length: 120 }, (_, index) => `Item ${index + 1} of the list. `).join('');

/** The smallest cosine between embeddings of the same text, or with pooling `none` of the same token. */
function leastCosine(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  length: number,
): number {
  const rows = actual.flatMap((embedding) => rowsOf(embedding, length));
  expect(rows).toHaveLength(expected.length);
  return Math.min(...rows.map((row, index) => cosine(row, expected[index] ?? new Float32Array())));
}

interface Subject {
  readonly name: string;
  readonly path: () => Promise<string>;
  readonly texts: readonly string[];
}

const subjects: readonly Subject[] = [
  { name: 'the test model', path: testModelPath, texts: [...texts, longText] },
  {
    name: 'a small BERT, which only encodes',
    path: () => writeBertModel(),
    texts: [...texts, '', longText.slice(0, 2 * bertSizes.context)],
  },
  {
    name: 'a small Mamba, which keeps a state',
    path: writeMambaModel,
    texts: [...texts, '', longText],
  },
];

describe.each(subjects)('embeddings of $name', (subject) => {
  let model: Model;
  let modelPath: string;
  let length: number;

  beforeAll(async () => {
    modelPath = await subject.path();
    model = await loadModel(modelPath, settings);
    length = model.metadata.embeddingLength;
  });
  afterAll(() => model.close());

  describe.each(poolings)('pooled by %s', (pooling) => {
    const timeout = 120_000;

    test('equal those of llama-embedding, many texts in a batch', { timeout }, async () => {
      const reference = { modelPath, ...settings, pooling, normalize: true };
      const expected = await embedWithReference(reference, subject.texts);
      const actual = await model.embed(subject.texts, { pooling });
      expect(leastCosine(actual, expected, length)).toBeGreaterThanOrEqual(equalCosine);
    });

    test('equal those of llama-embedding, each text alone', { timeout }, async () => {
      const reference = { modelPath, ...settings, pooling, normalize: true };
      for (const text of subject.texts) {
        const expected = await embedWithReference(reference, [text]);
        const actual = await model.embed(text, { pooling });
        expect(leastCosine([actual], expected, length), text).toBeGreaterThanOrEqual(equalCosine);
      }
    });

    test('have the lengths of llama-embedding when they are not normalized', { timeout }, async () => {
      const reference = { modelPath, ...settings, pooling, normalize: false };
      const expected = await embedWithReference(reference, texts);
      const actual = await model.embed(texts, { pooling, normalize: false });
      expect(leastCosine(actual, expected, length)).toBeGreaterThanOrEqual(equalCosine);
      for (const [index, row] of actual.flatMap((embedding) => rowsOf(embedding, length)).entries()) {
        const ratio = euclideanLength(row) / euclideanLength(expected[index] ?? new Float32Array());
        expect(ratio).toBeCloseTo(1, 2);
      }
    });
  });
});
