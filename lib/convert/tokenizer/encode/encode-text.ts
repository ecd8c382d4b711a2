import { isJsonObject, type JsonObject } from '../../checkpoint/index.js';
import type { AddedToken, TokenizerModel } from '../tokenizer-model.js';
import { createPairMerger } from './merge-pairs.js';
import { createNormalizer } from './normalize.js';
import { escapeText } from './pattern.js';
import { createPreTokenizer } from './pre-tokenize.js';
import { UnknownPart } from './unknown-part.js';
import { createPieceTaker } from './word-pieces.js';

/** A text as token ids, without and with those that are added before and after every text. */
export interface EncodedText {
  readonly ids: readonly number[];
  readonly idsWithSpecial: readonly number[];
}

/**
 * Does what a tokenizer.json describes; undefined if it describes something that is not known here. Good enough to tell
 * tokenizers apart, and slow.
 */
export function encodeText(text: string, json: JsonObject, model: TokenizerModel): EncodedText | undefined {
  try {
    const ids = createEncoder(json, model)(text);
    return { ids, idsWithSpecial: addSpecialTokens(ids, json.post_processor, model) };
  } catch (error) {
    if (error instanceof UnknownPart) return undefined;
    throw error;
  }
}

type Segment = string | number;

function createEncoder(json: JsonObject, model: TokenizerModel): (text: string) => number[] {
  const normalize = createNormalizer(json.normalizer);
  const preTokenize = createPreTokenizer(json.pre_tokenizer);
  const encodeWord = createWordEncoder(model);
  const cutRaw = tokenCutter(model.addedTokens.filter(({ normalized }) => !normalized));
  const cutNormalized = tokenCutter(
    model.addedTokens
      .filter(({ normalized }) => normalized)
      .map((token) => ({ ...token, content: normalize(token.content) })),
  );
  return (text) =>
    cutRaw(text)
      .flatMap((segment) => (typeof segment === 'string' ? cutNormalized(normalize(segment)) : [segment]))
      .flatMap((segment) =>
        typeof segment === 'string' ? preTokenize([segment]).flatMap(encodeWord) : [segment],
      );
}

function createWordEncoder(model: TokenizerModel): (word: string) => number[] {
  if (model.type === 'BPE') return createPairMerger(model);
  if (model.type === 'WordPiece') return createPieceTaker(model);
  throw new UnknownPart(model.type);
}

/** Finds added tokens in a text, the longest one where several begin. */
function tokenCutter(tokens: readonly AddedToken[]): (text: string) => Segment[] {
  const contents = tokens.map(({ content }) => content).filter((content) => content !== '');
  if (contents.length === 0) return (text) => [text];
  const ids = new Map(tokens.map(({ content, id }) => [content, id]));
  const longestFirst = contents.sort((first, second) => second.length - first.length);
  const pattern = new RegExp(`(${longestFirst.map(escapeText).join('|')})`, 'u');
  return (text) =>
    text
      .split(pattern)
      .map((part, index) => (index % 2 === 1 ? (ids.get(part) as number) : part))
      .filter((part) => part !== '');
}

function addSpecialTokens(ids: readonly number[], processor: unknown, model: TokenizerModel): number[] {
  if (processor === undefined || processor === null) return [...ids];
  if (!isJsonObject(processor)) throw new UnknownPart('post_processor');
  switch (processor.type) {
    case 'Sequence':
      if (!Array.isArray(processor.processors)) throw new UnknownPart('post_processor');
      return processor.processors.reduce(
        (result: number[], step: unknown) => addSpecialTokens(result, step, model),
        [...ids],
      );
    case 'ByteLevel':
      return [...ids];
    case 'BertProcessing':
    case 'RobertaProcessing':
      return [...idOfPair(processor.cls), ...ids, ...idOfPair(processor.sep)];
    case 'TemplateProcessing':
      return fillTemplate(ids, processor, model);
    default:
      throw new UnknownPart(String(processor.type));
  }
}

function idOfPair(pair: unknown): number[] {
  return Array.isArray(pair) && typeof pair[1] === 'number' ? [pair[1]] : [];
}

function fillTemplate(ids: readonly number[], processor: JsonObject, model: TokenizerModel): number[] {
  if (!Array.isArray(processor.single)) throw new UnknownPart('post_processor');
  return processor.single.flatMap((piece: unknown) => {
    const name = isJsonObject(piece) && isJsonObject(piece.SpecialToken) ? piece.SpecialToken.id : undefined;
    if (typeof name !== 'string') return ids;
    const described = isJsonObject(processor.special_tokens) ? processor.special_tokens[name] : undefined;
    if (isJsonObject(described) && Array.isArray(described.ids)) return described.ids as number[];
    const id = model.allTokens.get(name);
    return id === undefined ? [] : [id];
  });
}
