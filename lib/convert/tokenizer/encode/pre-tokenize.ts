import { isJsonObject, type JsonObject } from '../../checkpoint/index.js';
import { toByteCharacters } from './byte-characters.js';
import { readPattern } from './pattern.js';
import { UnknownPart } from './unknown-part.js';

type PreTokenizer = (texts: readonly string[]) => string[];

const gpt2Words = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** How the pre_tokenizer of a tokenizer.json cuts texts into words. */
export function createPreTokenizer(preTokenizer: unknown): PreTokenizer {
  if (preTokenizer === undefined || preTokenizer === null) return (texts) => [...texts];
  if (!isJsonObject(preTokenizer)) throw new UnknownPart('pre_tokenizer');
  switch (preTokenizer.type) {
    case 'Sequence': {
      if (!Array.isArray(preTokenizer.pretokenizers)) throw new UnknownPart('pre_tokenizer');
      const steps = preTokenizer.pretokenizers.map(createPreTokenizer);
      return (texts) => steps.reduce((result: string[], step) => step(result), [...texts]);
    }
    case 'Split': {
      const pattern = readPattern(preTokenizer.pattern);
      return each((text) =>
        split(text, pattern, String(preTokenizer.behavior), preTokenizer.invert === true),
      );
    }
    case 'Digits': {
      const pattern = preTokenizer.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu;
      return each((text) => split(text, pattern, 'Isolated', false));
    }
    case 'Punctuation':
      return each((text) =>
        split(text, /[\p{P}!-/:-@[-`{-~]/gu, String(preTokenizer.behavior ?? 'Isolated'), false),
      );
    case 'BertPreTokenizer':
      return each((text) =>
        split(text, /\s/gu, 'Removed', false).flatMap((word) =>
          split(word, /[\p{P}!-/:-@[-`{-~]/gu, 'Isolated', false),
        ),
      );
    case 'WhitespaceSplit':
      return each((text) => split(text, /\s+/gu, 'Removed', false));
    case 'Whitespace':
      return each((text) => text.match(/[\p{L}\p{M}\p{N}_]+|[^\p{L}\p{M}\p{N}_\s]+/gu) ?? []);
    case 'ByteLevel':
      return byteLevel(preTokenizer);
    default:
      throw new UnknownPart(String(preTokenizer.type));
  }
}

function each(cut: (text: string) => readonly string[]): PreTokenizer {
  return (texts) => texts.flatMap(cut);
}

function byteLevel(options: JsonObject): PreTokenizer {
  return each((text) => {
    const prefixed = options.add_prefix_space === true && !text.startsWith(' ') ? ` ${text}` : text;
    const words = options.use_regex === false ? [prefixed] : split(prefixed, gpt2Words, 'Isolated', false);
    return words.map(toByteCharacters);
  });
}

interface Part {
  readonly text: string;
  readonly isDelimiter: boolean;
}

/** Source: `SplitDelimiterBehavior` of the tokenizers library. */
function split(text: string, pattern: RegExp, behavior: string, invert: boolean): string[] {
  const parts = cutAt(text, pattern, invert);
  switch (behavior) {
    case 'Isolated':
      return parts.map((part) => part.text);
    case 'Removed':
      return parts.filter(({ isDelimiter }) => !isDelimiter).map((part) => part.text);
    case 'MergedWithPrevious':
      return merge(parts, (before, part) => part.isDelimiter && !before.isDelimiter);
    case 'MergedWithNext':
      return merge(
        [...parts].reverse(),
        (after, part) => part.isDelimiter && !after.isDelimiter,
        true,
      ).reverse();
    case 'Contiguous':
      return merge(parts, (before, part) => part.isDelimiter === before.isDelimiter);
    default:
      throw new UnknownPart(behavior);
  }
}

function cutAt(text: string, pattern: RegExp, invert: boolean): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), isDelimiter: invert });
    parts.push({ text: match[0], isDelimiter: !invert });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isDelimiter: invert });
  return parts;
}

/** Joins a part to its neighbour where that is asked for; the kind of the whole is that of the last one. */
function merge(
  parts: readonly Part[],
  joins: (neighbour: Part, part: Part) => boolean,
  isReversed = false,
): string[] {
  const texts: string[] = [];
  let neighbour: Part | undefined;
  for (const part of parts) {
    if (neighbour !== undefined && joins(neighbour, part)) {
      const last = texts.pop() as string;
      texts.push(isReversed ? part.text + last : last + part.text);
    } else {
      texts.push(part.text);
    }
    neighbour = part;
  }
  return texts;
}
