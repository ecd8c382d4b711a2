/** Models of a few hundred kilobytes, of several architectures and tokenizers. */

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { readGgufHeader, writeGguf } from '../../lib/gguf/index.js';
import type { GgufValueInput } from '../../lib/gguf/write.js';
import {
  expertsModel,
  gemmaModel,
  lfm2Model,
  llamaModel,
  mambaModel,
  rwkvModel,
} from '../../test/helpers/model-shapes.js';
import type { RandomModel } from '../../test/helpers/random-weights.js';
import { byteVocabulary, writeTinyGenerator } from '../../test/helpers/tiny-generator.js';
import { vendoredPath } from '../../test/helpers/vendored.js';
import type { Workplace } from './workplace.js';

type Vocabulary = Readonly<Record<string, GgufValueInput>>;

/** The shapes by their names. */
export const shapes: Readonly<Record<string, () => RandomModel>> = {
  llama: llamaModel,
  gemma2: gemmaModel,
  lfm2: lfm2Model,
  mamba: mambaModel,
  rwkv7: rwkvModel,
  qwen3moe: expertsModel,
};

/** The first tokens of a vocabulary of the vendored tree. */
export async function vendoredVocabulary(name: string, count: number): Promise<Vocabulary> {
  const { metadata } = await readGgufHeader(vendoredPath('models', `ggml-vocab-${name}.gguf`));
  const entries = [...metadata].filter(([key]) => key.startsWith('tokenizer.'));
  return Object.fromEntries(
    entries.map(([key, entry]): [string, GgufValueInput] => {
      if (entry.type !== 'array' || !/\.(tokens|scores|token_type|merges)$/.test(key)) return [key, entry];
      const value = [...entry.value].slice(0, count);
      return [key, { type: 'array', elementType: entry.elementType, value } as GgufValueInput];
    }),
  );
}

/** Writes a model of a shape, if it is not there, and returns its path. */
export async function writeShape(
  workplace: Workplace,
  shape: string,
  { name = shape, vocabulary = byteVocabulary() }: { name?: string; vocabulary?: Vocabulary } = {},
): Promise<string> {
  const path = workplace.path(`${name}.gguf`);
  if (existsSync(path)) return path;
  const make = shapes[shape];
  const tokens = vocabulary['tokenizer.ggml.tokens'];
  if (make === undefined || tokens?.type !== 'array') throw new Error(`No shape ${shape}, or no tokens`);
  const { hyperparameters, tensorsFor } = make();
  const count = [...(tokens.value as Iterable<unknown>)].length;
  const metadata = { ...hyperparameters, ...vocabulary };
  await mkdir(workplace.directory, { recursive: true });
  await writeGguf(path, { metadata, tensors: tensorsFor(count, 0) }, { overwrite: true });
  return path;
}

/** Writes the model that texts, grammars and messages are tried with, if it is not there. */
export async function writeGenerator(workplace: Workplace): Promise<string> {
  const path = workplace.path('generator.gguf');
  if (!existsSync(path)) await writeTinyGenerator(path);
  return path;
}
