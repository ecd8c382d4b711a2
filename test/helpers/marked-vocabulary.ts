import { readGgufHeader } from '../../lib/gguf/index.js';
import { type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import { temporaryFile } from './gguf-files.js';
import { vendoredPath } from './vendored.js';

const userDefined = 4;

/**
 * A vendored vocabulary whose last tokens are these texts, as tokens that are user-defined. No vocabulary of the vendored
 * tree has the marks of most templates.
 * @returns the path of the file.
 */
export async function writeMarkedVocabulary(vocabulary: string, texts: readonly string[]): Promise<string> {
  const { metadata } = await readGgufHeader(vendoredPath('models', `ggml-vocab-${vocabulary}.gguf`));
  const tokens = metadata.get('tokenizer.ggml.tokens');
  const types = metadata.get('tokenizer.ggml.token_type');
  if (tokens?.type !== 'array' || tokens.elementType !== 'string') throw new Error('no tokens');
  if (types?.type !== 'array' || types.elementType !== 'int32') throw new Error('no types');
  const written = [...tokens.value];
  const kinds = [...types.value];
  const missing = texts.filter((text) => !written.includes(text));
  for (const [index, text] of missing.entries()) {
    written[written.length - 1 - index] = text;
    kinds[kinds.length - 1 - index] = userDefined;
  }
  const changed = new Map<string, GgufValueInput>(metadata as ReadonlyMap<string, GgufValueInput>);
  changed.set('tokenizer.ggml.tokens', { type: 'array', elementType: 'string', value: written });
  changed.set('tokenizer.ggml.token_type', { type: 'array', elementType: 'int32', value: kinds });
  const path = await temporaryFile(`${vocabulary}.gguf`);
  await writeGguf(path, { metadata: changed });
  return path;
}
