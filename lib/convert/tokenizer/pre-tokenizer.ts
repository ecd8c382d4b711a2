import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, unsupportedCheckpoint } from '../checkpoint/index.js';
import { encodeText } from './encode/encode-text.js';
import { preTokenizersByHash } from './pre-tokenizer-table.js';
import { probeText } from './probe-text.js';
import type { TokenizerModel } from './tokenizer-model.js';

/** The hash that llama.cpp's converter would compute for token ids: of the list as Python prints it. */
export function hashOfIds(ids: readonly number[]): string {
  return createHash('sha256')
    .update(`[${ids.join(', ')}]`)
    .digest('hex');
}

/**
 * llama.cpp's name for the way in which a tokenizer cuts texts before merging: by what it makes of a text, or else by
 * its patterns.
 * @throws ConversionError CHECKPOINT_UNSUPPORTED if it is none of those known.
 */
export function identifyPreTokenizer(folder: string, json: JsonObject, model: TokenizerModel): string {
  const encoded = encodeText(probeText, json, model);
  const hashes = encoded === undefined ? [] : [encoded.idsWithSpecial, encoded.ids].map(hashOfIds);
  const known = hashes.map((hash) => preTokenizersByHash[hash]).find((name) => name !== undefined);
  const name = known ?? nameByPatterns(json, model);
  if (name !== undefined) return name;
  const [hash = 'none, since a part of it is of an unknown type'] = hashes;
  throw unsupportedCheckpoint(
    folder,
    `its tokenizer cuts texts in a way that is not known (hash of the test text: ${hash}). If you know llama.cpp's ` +
      'name for it, such as llama-bpe or qwen2, give it as the option preTokenizer.',
    { hash: hashes[0] },
  );
}

/** Patterns that models share; each is one that llama.cpp has a name for. Source: src/llama-vocab.cpp. */
const namesByPattern = new Map([
  [
    String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    'llama-bpe',
  ],
  [
    String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    'qwen2',
  ],
]);

/** A tokenizer whose vocabulary is new, but not its way of cutting. */
function nameByPatterns(json: JsonObject, model: TokenizerModel): string | undefined {
  // Pieces of words are cut in one way only.
  if (model.type === 'WordPiece') return 'default';
  if (model.type !== 'BPE') return undefined;
  const steps = stepsOf(json.pre_tokenizer);
  const kinds = steps.map(({ type }) => type).join(' ');
  const [first] = steps;
  if (kinds === 'ByteLevel') return first?.use_regex === false ? undefined : 'gpt-2';
  if (kinds === 'Digits ByteLevel' && first?.individual_digits === true) return 'smollm';
  if (kinds !== 'Split ByteLevel' || first?.behavior !== 'Isolated' || !isJsonObject(first.pattern))
    return undefined;
  return namesByPattern.get(String(first.pattern.Regex));
}

function stepsOf(preTokenizer: unknown): JsonObject[] {
  if (!isJsonObject(preTokenizer)) return [];
  const { pretokenizers } = preTokenizer;
  return (Array.isArray(pretokenizers) ? pretokenizers : [preTokenizer]).filter(isJsonObject);
}
