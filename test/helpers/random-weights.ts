/** Model files with random weights and a real WordPiece vocabulary. */
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { type GgufTensorInput, type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import { temporaryFile } from './gguf-files.js';
import { Random } from './gguf-random.js';
import { vendoredPath } from './vendored.js';

/** Writes a model with these keys, and the tensors made for the size of the vocabulary; returns its path. */
export async function writeRandomModel(
  name: string,
  hyperparameters: Readonly<Record<string, GgufValueInput>>,
  tensorsFor: (vocabularySize: number) => GgufTensorInput[],
): Promise<string> {
  const { metadata: source } = await readGgufHeader(vendoredPath('models', 'ggml-vocab-bert-bge.gguf'));
  const tokens = source.get('tokenizer.ggml.tokens');
  if (tokens?.type !== 'array') throw new Error('Expected a vocabulary with tokens');
  const vocabulary = [...source].filter(([key]) => key.startsWith('tokenizer.'));
  const metadata = new Map<string, GgufValueInput>([...Object.entries(hyperparameters), ...vocabulary]);
  const path = await temporaryFile(name);
  await writeGguf(path, { metadata, tensors: tensorsFor(tokens.value.length) });
  return path;
}

/** Weights that keep values of about 1 at about 1. */
export class RandomWeights {
  readonly #random: Random;

  constructor(seed = 7) {
    this.#random = new Random(seed);
  }

  matrix(name: string, columns: number, rows: number): GgufTensorInput {
    const scale = 4 / Math.sqrt(columns);
    return this.#tensor(name, [columns, rows], () => (this.#random.next() - 0.5) * scale);
  }

  around(center: number, name: string, dimensions: number[]): GgufTensorInput {
    return this.#tensor(name, dimensions, () => center + (this.#random.next() - 0.5) / 5);
  }

  #tensor(name: string, dimensions: number[], next: () => number): GgufTensorInput {
    const count = dimensions.reduce((product, dimension) => product * dimension, 1);
    const values = Float32Array.from({ length: count }, next);
    return { name, dimensions, type: 'F32', data: () => new Uint8Array(values.buffer) };
  }
}
