import { invalidCheckpoint, isJsonObject, type JsonObject } from '../checkpoint/index.js';
import type { ModelConfig } from '../config/model-config.js';
import { pieceTypes, type SentencePiece } from './sentencepiece-model.js';
import { looksSpecial, TokenList, tokenCountOf, withSpaces } from './token-list.js';
import type { TokenizerFiles } from './tokenizer-files.js';

const placeholderScore = -10_000;
const addedScore = -1000;

/** Tokens of a tokenizer.model. Source: `_create_vocab_sentencepiece` in conversion/base.py. */
export function sentencePieceTokens(
  files: TokenizerFiles,
  pieces: readonly SentencePiece[],
  config: ModelConfig,
): TokenList {
  const tokens = withPieces(files, pieces, config);
  for (const [id, token] of addedTokensDecoder(files)) {
    if (token.special === true || looksSpecial(token.content)) {
      tokens.set(id, token.content, pieceTypes.control, addedScore);
    } else {
      tokens.set(id, withSpaces(token.content), pieceTypes.userDefined, addedScore);
    }
  }
  return tokens;
}

/** The same for Phi 3, which believes what files say of special tokens. Source: conversion/phi.py. */
export function phi3Tokens(
  files: TokenizerFiles,
  pieces: readonly SentencePiece[],
  config: ModelConfig,
): TokenList {
  const tokens = withPieces(files, pieces, config);
  const typeOf = (isSpecial: boolean) => (isSpecial ? pieceTypes.control : pieceTypes.userDefined);
  for (const [id, token] of addedTokensDecoder(files)) {
    tokens.set(id, token.content, typeOf(token.special === true), addedScore);
  }
  for (const token of files.model?.addedTokens ?? []) {
    tokens.set(token.id, token.content, typeOf(token.special), addedScore);
  }
  return tokens;
}

function withPieces(files: TokenizerFiles, pieces: readonly SentencePiece[], config: ModelConfig): TokenList {
  const tokens = new TokenList(tokenCountOf(config, pieces.length), placeholderScore);
  pieces.forEach(({ text, score, type }, id) => {
    // Pieces that users define are read as normal ones, as llama.cpp's converter does.
    const written = type === pieceTypes.userDefined ? pieceTypes.normal : type;
    tokens.set(id, text.toString('utf8'), written, score);
  });
  for (const [text, id] of files.addedIds) tokens.set(id, text, pieceTypes.userDefined, addedScore);
  return tokens;
}

interface DescribedToken {
  readonly content: string;
  readonly special: unknown;
}

function addedTokensDecoder(files: TokenizerFiles): [number, DescribedToken][] {
  const decoder: JsonObject = isJsonObject(files.config?.added_tokens_decoder)
    ? files.config.added_tokens_decoder
    : {};
  return Object.entries(decoder).map(([key, token]) => {
    const id = Number(key);
    if (Number.isInteger(id) && id >= 0 && isJsonObject(token) && typeof token.content === 'string') {
      return [id, { content: token.content, special: token.special }];
    }
    throw invalidCheckpoint(
      files.folder,
      'expected ids with contents as added_tokens_decoder in tokenizer_config.json.',
    );
  });
}
