import { editInteger, editText, editValue, flipByte, truncate } from './gguf-byte-mutations.js';
import {
  addKey,
  changeArchitecture,
  changeDimensions,
  changeTensorType,
  changeTokenizer,
  editToken,
  removeKey,
  removeTensor,
  renameKey,
  resizeArray,
  retypeValue,
  swapValues,
} from './gguf-model-mutations.js';
import { Random } from './gguf-random.js';
import type { MutationSeed } from './gguf-seeds.js';

/** A mutated file: what was done to it, and its bytes. */
export interface Mutation {
  /** Seed, number and what was done: enough to find and make it again. */
  readonly name: string;
  /** What the file starts with, in place of the seed's header. */
  readonly header: Buffer;
  /** Size of the file in bytes: cut off, or filled with zeros, to that. */
  readonly fileSize: number;
}

/** What one kind of mutation made of a seed. */
export interface Change {
  readonly what: string;
  readonly header: Buffer;
  /** Default: as long as the seed, or the header if that is longer. */
  readonly fileSize?: number;
}

/** Makes mutation number `index` of a seed; always the same one. */
export function mutate(seed: MutationSeed, index: number): Mutation {
  const random = new Random(index * 0x9e3779b1 + seed.name.length * 0x85ebca6b);
  const mutation = mutateAtRandom(seed, random);
  return { ...mutation, name: `${seed.name} #${index}: ${mutation.name}` };
}

/** Makes a mutation of a seed; always the same one of the same numbers. */
export function mutateAtRandom(seed: MutationSeed, random: Random): Mutation {
  const weighted = seed.header.tensors.length > 0 ? [...common, ...withTensors] : common;
  const change = random.pick(weighted)(seed, random);
  return {
    name: change.what,
    header: change.header,
    fileSize: change.fileSize ?? Math.max(change.header.length, seed.bytes.length),
  };
}

const common: readonly ((seed: MutationSeed, random: Random) => Change)[] = [
  flipByte,
  flipByte,
  editInteger,
  editInteger,
  editInteger,
  editValue,
  editValue,
  editValue,
  editText,
  truncate,
  renameKey,
  removeKey,
  swapValues,
  retypeValue,
  addKey,
  addKey,
  editToken,
  editToken,
  resizeArray,
  changeTokenizer,
  changeArchitecture,
];

const withTensors: readonly ((seed: MutationSeed, random: Random) => Change)[] = [
  changeTensorType,
  changeTensorType,
  changeDimensions,
  removeTensor,
];
