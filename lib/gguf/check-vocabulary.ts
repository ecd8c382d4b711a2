import { findDuplicate } from './duplicate-texts.js';
import { arrayEntry, arrayValues, booleanValue, stringValue, uint32Value } from './header-values.js';
import { invalidModel } from './invalid-model.js';
import type { GgufStringArray } from './string-array.js';
import type { GgufHeader } from './types.js';

/** `LLAMA_TOKEN_TYPE_BYTE` in llama.h. */
const byteTokenType = 6;
/**
 * Longest token in bytes by `tokenizer.ggml.model`. The first two build a trie as deep as the longest token and take it
 * down by recursion; PLaMo-2 takes time by the square of a token's length. The longest known token has 1024.
 */
const maxTokenBytes: Readonly<Record<string, number>> = { t5: 4096, rwkv: 4096, plamo2: 1024 };
/** More than any vocabulary has by far; llama.cpp allocates about 50 bytes for each. */
const maxVocabularySize = 4_194_304;

/** Defaults of the special tokens by `tokenizer.ggml.model`. Source: `llama_vocab::impl::load`. */
interface TokenizerDefaults {
  readonly beginOfSequence: number | undefined;
  readonly endOfSequence: number | undefined;
  readonly separator: number | undefined;
  readonly addsBeginOfSequence: boolean;
  readonly addsEndOfSequence: boolean;
  /** Whether begin-of-sequence and separator are put around text whatever the file says. */
  readonly alwaysSurrounds: boolean;
}

const noSpecialTokens: TokenizerDefaults = {
  beginOfSequence: undefined,
  endOfSequence: undefined,
  separator: undefined,
  addsBeginOfSequence: false,
  addsEndOfSequence: false,
  alwaysSurrounds: false,
};
const bytePairDefaults: TokenizerDefaults = { ...noSpecialTokens, beginOfSequence: 11, endOfSequence: 11 };

const tokenizerDefaults: Readonly<Record<string, TokenizerDefaults>> = {
  llama: { ...noSpecialTokens, beginOfSequence: 1, endOfSequence: 2, addsBeginOfSequence: true },
  bert: { ...noSpecialTokens, beginOfSequence: 101, separator: 102, alwaysSurrounds: true },
  t5: { ...noSpecialTokens, endOfSequence: 1, addsEndOfSequence: true },
  gpt2: bytePairDefaults,
  hybriddna: bytePairDefaults,
  whitespace: bytePairDefaults,
  // Its begin-of-sequence token is added even where the file says not to.
  gemma4: { ...noSpecialTokens, addsBeginOfSequence: true },
};

/** Values of `tokenizer.ggml.pre` for which begin-of-sequence is added unless the file says otherwise. */
const preTokenizersAddingBeginOfSequence = new Set([
  'llama3',
  'llama-v3',
  'llama-bpe',
  'falcon3',
  'falcon-h1',
  'pixtral',
  'midm-2.0',
  'lfm2',
  'jina-v5-nano',
  'tekken',
  'chameleon',
  'mellum2',
]);

/** Values of `tokenizer.ggml.pre` that take the default begin-of-sequence token away. */
const preTokenizersWithoutBeginOfSequence = new Set(['glm4', 'chatglm-bpe']);

/**
 * Refuses vocabularies that make llama.cpp abort while it builds or first uses the tokenizer.
 * Source of each rule: `llama_vocab::impl::load` and `::tokenize` in src/llama-vocab.cpp.
 */
export function checkVocabulary(header: GgufHeader): void {
  const model = stringValue(header, 'tokenizer.ggml.model');
  if (model === undefined) {
    return;
  }
  if (model === 'none' || model === 'no_vocab') {
    checkDummyVocabulary(header);
    return;
  }
  const tokens = arrayValues(header, 'tokenizer.ggml.tokens', 'string');
  if (tokens === undefined) {
    return;
  }
  checkTokenCount(header, tokens);
  checkTokenTexts(header, tokens, maxTokenBytes[model] ?? Number.POSITIVE_INFINITY);
  checkTokenTypes(header, model, tokens);
  if (model === 'rwkv') {
    checkFirstBytes(header, tokens);
  }
  checkAddedTokens(header, model, tokens.length);
}

function damaged(header: GgufHeader, reason: string): Error {
  return invalidModel(
    header.path,
    `${reason}. The vocabulary is damaged; get the file again or convert it anew.`,
  );
}

/** For a model without tokenizer llama.cpp makes as many empty tokens as the file says, at once. */
function checkDummyVocabulary(header: GgufHeader): void {
  const architecture = stringValue(header, 'general.architecture') ?? '';
  const size = uint32Value(header, `${architecture}.vocab_size`);
  if (size !== undefined && size > maxVocabularySize) {
    throw damaged(
      header,
      `${architecture}.vocab_size is ${size}; more than ${maxVocabularySize} is not plausible`,
    );
  }
}

function checkTokenCount(header: GgufHeader, tokens: GgufStringArray): void {
  if (tokens.length === 0) {
    throw damaged(header, 'tokenizer.ggml.tokens is empty');
  }
  for (const key of ['tokenizer.ggml.scores', 'tokenizer.ggml.token_type']) {
    const entry = arrayEntry(header, key);
    if (entry !== undefined && entry.value.length < tokens.length) {
      throw damaged(header, `${key} has ${entry.value.length} elements for ${tokens.length} tokens`);
    }
  }
}

/**
 * Two equal tokens are an assertion in llama.cpp (`id_to_token.size() == token_to_id.size()`). It reads tokens as C
 * strings, up to a zero byte, and names an empty one `[EMPTY_<id>]`.
 */
function checkTokenTexts(header: GgufHeader, tokens: GgufStringArray, maxBytes: number): void {
  for (let id = 0; id < tokens.length; id++) {
    const length = tokens.endOf(id) - tokens.startOf(id);
    if (length > maxBytes) {
      throw damaged(header, `token ${id} has ${length} bytes; more than ${maxBytes} is not plausible`);
    }
  }
  const duplicate = findDuplicate(tokens, (id) => `[EMPTY_${id}]`);
  if (duplicate === undefined) {
    return;
  }
  const { first, second } = duplicate;
  const shown = JSON.stringify(tokens.at(second));
  throw damaged(header, `tokens ${first} and ${second} of tokenizer.ggml.tokens are the same: ${shown}`);
}

/** WordPiece has no byte tokens: turning one into text is an abort (`token_to_byte`). */
function checkTokenTypes(header: GgufHeader, model: string, tokens: GgufStringArray): void {
  const types = arrayValues(header, 'tokenizer.ggml.token_type', 'int32');
  if (types === undefined || model !== 'bert') {
    return;
  }
  const id = types.subarray(0, tokens.length).indexOf(byteTokenType);
  if (id !== -1) {
    throw damaged(header, `token ${id} is a byte token, which a tokenizer of type 'bert' does not have`);
  }
}

/**
 * RWKV's tokenizer never ends on a text whose first byte begins some token, but is none itself; the newline, which
 * is tokenized while loading, is enough.
 */
function checkFirstBytes(header: GgufHeader, tokens: GgufStringArray): void {
  const first = new Set<number>();
  const single = new Set<number>();
  for (let id = 0; id < tokens.length; id++) {
    const [byte, second] = unescapeRwkvToken(tokens.latin1At(id) ?? '');
    if (byte !== undefined) {
      first.add(byte);
      if (second === undefined) {
        single.add(byte);
      }
    }
  }
  const missing = [...first].find((byte) => !single.has(byte));
  if (missing !== undefined || !single.has(0x0a)) {
    throw damaged(header, `the RWKV vocabulary has no token for the single byte ${missing ?? 0x0a}`);
  }
}

/** The first two bytes of a token, as `llama_unescape_rwkv_token` reads them. */
function unescapeRwkvToken(text: string): number[] {
  const bytes: number[] = [];
  for (let index = 0; index < text.length && bytes.length < 2; index++) {
    if (text[index] !== '\\') {
      bytes.push(text.charCodeAt(index));
      continue;
    }
    index++;
    const escaped = text[index];
    if (escaped === 'x') {
      bytes.push(Number.parseInt(text.slice(index + 1, index + 3), 16));
      index += 2;
    } else if (escaped !== undefined) {
      bytes.push({ t: 0x09, n: 0x0a, r: 0x0d }[escaped] ?? escaped.charCodeAt(0));
    }
  }
  return bytes;
}

/** llama.cpp asserts that a special token exists when it is told to put it before or after a text. */
function checkAddedTokens(header: GgufHeader, model: string, vocabularySize: number): void {
  const defaults = tokenizerDefaults[model];
  if (defaults === undefined) {
    return;
  }
  const pre = stringValue(header, 'tokenizer.ggml.pre') ?? '';
  const resolve = (name: string, fallback: number | undefined): boolean =>
    [uint32Value(header, `tokenizer.ggml.${name}_token_id`), fallback].some(
      (id) => id !== undefined && id < vocabularySize,
    );
  const adds = (name: string, fallback: boolean): boolean =>
    booleanValue(header, `tokenizer.ggml.add_${name}_token`) ?? fallback;

  const defaultBegin = preTokenizersWithoutBeginOfSequence.has(pre) ? undefined : defaults.beginOfSequence;
  const addsBegin = adds('bos', defaults.addsBeginOfSequence || preTokenizersAddingBeginOfSequence.has(pre));
  const addsEnd = adds('eos', defaults.addsEndOfSequence);
  const required: [needed: boolean, name: string, fallback: number | undefined][] = [
    [addsBegin || defaults.alwaysSurrounds || model === 'gemma4', 'bos', defaultBegin],
    [addsEnd && !defaults.alwaysSurrounds, 'eos', defaults.endOfSequence],
    [defaults.alwaysSurrounds, 'seperator', defaults.separator],
  ];
  for (const [needed, name, fallback] of required) {
    if (needed && !resolve(name, fallback)) {
      throw damaged(
        header,
        `the tokenizer adds a token to each text, but tokenizer.ggml.${name}_token_id names none of the ` +
          `${vocabularySize} tokens`,
      );
    }
  }
}
