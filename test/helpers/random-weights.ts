/** Models with random weights, as data. */
import type { GgufTensorInput, GgufValueInput } from '../../lib/gguf/write.js';
import { Random } from './gguf-random.js';

/** A vocabulary that llama.cpp brings along. */
export interface VocabularyChoice {
  /** `bert-bge` is BERT's, `nomic-bert-moe` that of XLM-RoBERTa. Default `bert-bge`. */
  readonly name?: 'bert-bge' | 'nomic-bert-moe';
  /** Keys that are other than usual. */
  readonly changes?: Readonly<Record<string, GgufValueInput>>;
}

/** A model without its vocabulary. */
export interface RandomModel {
  readonly name: string;
  readonly hyperparameters: Readonly<Record<string, GgufValueInput>>;
  /** Default: that of BERT. */
  readonly vocabulary?: VocabularyChoice;
  readonly tensorsFor: (vocabularySize: number, tokenTypes: number) => GgufTensorInput[];
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
