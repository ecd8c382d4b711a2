import { invalidCheckpoint } from '../checkpoint/index.js';
import type { ModelConfig } from '../config/model-config.js';
import { pieceTypes } from './sentencepiece-model.js';
import { looksSpecial, TokenList, tokenCountOf, withSpaces } from './token-list.js';
import type { TokenizerFiles } from './tokenizer-files.js';
import type { TokenizerModel } from './tokenizer-model.js';

/** Tokens of a tokenizer.json. Source: `get_vocab_base` in conversion/base.py. */
export function plainTokens(model: TokenizerModel, config: ModelConfig): TokenList {
  const length = tokenCountOf(config, model.allTokens.size);
  const tokens = new TokenList(length, 0);
  for (const [text, id] of model.allTokens) {
    if (id >= length) {
      throw invalidCheckpoint(
        config.folder,
        `expected token ids below ${length}, which is vocab_size in config.json; received ${id} of ` +
          `${JSON.stringify(text.slice(0, 40))}. Files of different models seem to be mixed.`,
        { id },
      );
    }
    tokens.set(id, text, pieceTypes.normal);
  }
  for (const { id, content, special } of model.addedTokens) {
    if (special || looksSpecial(content)) tokens.set(id, content, pieceTypes.control);
    else tokens.set(id, withSpaces(content), pieceTypes.userDefined);
  }
  return tokens;
}

/**
 * Tokens of a SentencePiece vocabulary that is only there as tokenizer.json, which has no scores.
 * Source: `LlamaHfVocab` in gguf-py/gguf/vocab.py.
 */
export function fallbackTokens(files: TokenizerFiles, model: TokenizerModel): TokenList {
  const { size } = model.vocabulary;
  const added = [...model.addedTokens].sort((first, second) => first.id - second.id);
  const beyond = added.filter(({ id }) => id >= size);
  const specials = specialContents(files);
  const isSpecial = (text: string, id: number) =>
    specials.has(text) || added.some((token) => token.id === id && token.special);
  const tokens = new TokenList(size + beyond.length, -1000);
  const score = -1000;
  for (const [text, id] of model.vocabulary) {
    const isByte = /^<0x[0-9A-Fa-f]{2}>$/.test(text);
    const type = isByte ? pieceTypes.byte : isSpecial(text, id) ? pieceTypes.control : pieceTypes.normal;
    tokens.set(id, text, type, score);
  }
  beyond.forEach(({ content, id }, index) => {
    const type = isSpecial(content, id) ? pieceTypes.control : pieceTypes.userDefined;
    tokens.set(size + index, content, type, score);
  });
  return tokens;
}

/** Whether tokenizer.json holds what {@link fallbackTokens} wants. */
export function isSentencePieceJson(files: TokenizerFiles): boolean {
  const decoder = files.json?.decoder;
  const type =
    typeof decoder === 'object' && decoder !== null && 'type' in decoder ? decoder.type : undefined;
  return files.model?.type === 'BPE' && files.model.byteFallback && type === 'Sequence';
}

function specialContents(files: TokenizerFiles): Set<string> {
  const contents = new Set<string>();
  for (const kind of ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask']) {
    const entry = files.config?.[`${kind}_token`];
    if (typeof entry === 'string') contents.add(entry);
    else if (typeof entry === 'object' && entry !== null && 'content' in entry)
      contents.add(String(entry.content));
  }
  return contents;
}

function withoutSpaces(part: string): string {
  return part.includes(' ') ? part.replaceAll(' ', '\u0120') : part;
}

/** Merges as GGUF has them: two parts with a space between; spaces within are written as in GPT-2. */
export function mergeTexts(files: TokenizerFiles): string[] {
  const { model } = files;
  if (model !== undefined && model.merges.length > 0) {
    return model.merges.map(([first, second]) => `${withoutSpaces(first)} ${withoutSpaces(second)}`);
  }
  return files.mergeLines
    .filter((line, index) => !(index === 0 && line.startsWith('#')))
    .map((line) => line.trim().split(/\s+/))
    .filter((parts) => parts.length === 2)
    .map((parts) => parts.join(' '));
}
