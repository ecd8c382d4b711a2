/** Model files with random weights and a real WordPiece vocabulary. */
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import { temporaryFile } from './gguf-files.js';
import type { RandomModel } from './random-weights.js';
import { vendoredPath } from './vendored.js';

/** Writes a model, the tensors made for the size of the vocabulary; returns its path. */
export async function writeRandomModel(model: RandomModel): Promise<string> {
  const {
    name,
    hyperparameters,
    vocabulary: { name: choice = 'bert-bge', changes = {} } = {},
    tensorsFor,
  } = model;
  const { metadata: source } = await readGgufHeader(vendoredPath('models', `ggml-vocab-${choice}.gguf`));
  const tokens = source.get('tokenizer.ggml.tokens');
  if (tokens?.type !== 'array') throw new Error('Expected a vocabulary with tokens');
  const types = source.get('tokenizer.ggml.token_type_count');
  const tokenTypes = types?.type === 'uint32' ? types.value : 0;
  const vocabulary = [...source].filter(([key]) => key.startsWith('tokenizer.'));
  const metadata = new Map<string, GgufValueInput>([
    ...Object.entries(hyperparameters),
    ...vocabulary,
    ...Object.entries(changes),
  ]);
  const path = await temporaryFile(`${name}.gguf`);
  await writeGguf(path, { metadata, tensors: tensorsFor(tokens.value.length, tokenTypes) });
  return path;
}
