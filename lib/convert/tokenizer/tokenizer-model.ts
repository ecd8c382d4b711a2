import { invalidCheckpoint, isJsonObject, type JsonObject } from '../checkpoint/index.js';

/** A token that is not made of pieces. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
}

/** The parts of a tokenizer.json that a vocabulary is made of. */
export interface TokenizerModel {
  /** `BPE`, `WordPiece`, `Unigram` or `WordLevel`. */
  readonly type: string;
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly merges: readonly (readonly [string, string])[];
  readonly addedTokens: readonly AddedToken[];
  /** Ids of the vocabulary and of the added tokens. */
  readonly allTokens: ReadonlyMap<string, number>;
  readonly byteFallback: boolean;
  readonly ignoreMerges: boolean;
  readonly fuseUnknown: boolean;
  readonly unknownToken: string | undefined;
  /** Before pieces that do not begin a word. */
  readonly continuationPrefix: string;
}

/**
 * Reads a tokenizer.json.
 * @throws ConversionError CHECKPOINT_INVALID.
 */
export function readTokenizerModel(path: string, json: JsonObject): TokenizerModel {
  const model = isJsonObject(json.model) ? json.model : undefined;
  if (model === undefined)
    throw invalidCheckpoint(path, 'expected an object as model. Download the file again.');
  const vocabulary = readVocabulary(path, model.vocab);
  const addedTokens = readAddedTokens(path, json.added_tokens);
  return {
    type: typeof model.type === 'string' ? model.type : 'BPE',
    vocabulary,
    merges: readMerges(path, model.merges),
    addedTokens,
    allTokens: withAdded(vocabulary, addedTokens),
    byteFallback: model.byte_fallback === true,
    ignoreMerges: model.ignore_merges === true,
    fuseUnknown: model.fuse_unk === true,
    unknownToken: typeof model.unk_token === 'string' ? model.unk_token : undefined,
    continuationPrefix:
      typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '##',
  };
}

/** No vocabulary is near that. */
const mostTokens = 1 << 24;

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < mostTokens;
}

function readVocabulary(path: string, vocabulary: unknown): Map<string, number> {
  const result = new Map<string, number>();
  const add = (token: unknown, id: unknown) => {
    if (typeof token !== 'string' || !isId(id)) {
      throw invalidCheckpoint(path, `expected tokens with whole numbers in its vocabulary, received ${id}.`);
    }
    result.set(token, id);
  };
  if (Array.isArray(vocabulary)) {
    for (const [id, entry] of vocabulary.entries()) add(Array.isArray(entry) ? entry[0] : entry, id);
  } else if (isJsonObject(vocabulary)) {
    for (const token of Object.keys(vocabulary)) add(token, vocabulary[token]);
  }
  if (result.size === 0) throw invalidCheckpoint(path, 'its vocabulary is empty. Download the file again.');
  return result;
}

function withAdded(
  vocabulary: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
): Map<string, number> {
  const all = new Map(vocabulary);
  for (const { content, id } of added) all.set(content, id);
  return all;
}

function readAddedTokens(path: string, tokens: unknown): AddedToken[] {
  if (tokens === undefined || tokens === null) return [];
  if (!Array.isArray(tokens)) throw invalidCheckpoint(path, 'expected a list as added_tokens.');
  return tokens.map((token: unknown) => {
    if (!isJsonObject(token) || !isId(token.id) || typeof token.content !== 'string') {
      throw invalidCheckpoint(path, 'expected an id and a content for each of its added_tokens.');
    }
    return {
      id: token.id,
      content: token.content,
      special: token.special === true,
      normalized: token.normalized === true,
    };
  });
}

function readMerges(path: string, merges: unknown): [string, string][] {
  if (merges === undefined || merges === null) return [];
  if (!Array.isArray(merges)) throw invalidCheckpoint(path, 'expected a list as merges.');
  return merges.map((merge: unknown) => {
    const pair = typeof merge === 'string' ? cutMerge(merge) : merge;
    if (
      Array.isArray(pair) &&
      pair.length === 2 &&
      typeof pair[0] === 'string' &&
      typeof pair[1] === 'string'
    ) {
      return [pair[0], pair[1]];
    }
    throw invalidCheckpoint(path, 'expected pairs of texts as merges.');
  });
}

function cutMerge(merge: string): [string, string] | undefined {
  const space = merge.indexOf(' ');
  return space < 0 ? undefined : [merge.slice(0, space), merge.slice(space + 1)];
}
