import { isJsonObject } from '../../checkpoint/index.js';
import { UnknownPart } from './unknown-part.js';

/** Reads `{ "Regex": … }` or `{ "String": … }` of a tokenizer.json. */
export function readPattern(pattern: unknown): RegExp {
  if (isJsonObject(pattern) && typeof pattern.Regex === 'string') return toRegExp(pattern.Regex);
  if (isJsonObject(pattern) && typeof pattern.String === 'string')
    return new RegExp(escapeText(pattern.String), 'gu');
  throw new UnknownPart('pattern');
}

/** A pattern that matches a text as it is. */
export function escapeText(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Longer patterns are no pattern of a tokenizer. */
const longestPattern = 5000;

/** An Oniguruma pattern as one of JavaScript. */
export function toRegExp(source: string): RegExp {
  if (source.length > longestPattern || source.includes('&&')) throw new UnknownPart('pattern');
  try {
    return new RegExp(withoutPossessives(withoutNeedlessEscapes(withoutModifiers(source))), 'gu');
  } catch {
    throw new UnknownPart('pattern');
  }
}

/** Letters in `(?i:…)` become `[xX]`; the groups that tokenizers have hold no classes. */
function withoutModifiers(source: string): string {
  return source.replace(/\(\?i:([^()[\]\\]*)\)/g, (_, inner: string) => {
    const either = inner.replace(/\p{L}/gu, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`);
    return `(?:${either})`;
  });
}

/** With the flag u, only what has a meaning may be escaped. */
function withoutNeedlessEscapes(source: string): string {
  return source.replace(/\\([^A-Za-z0-9\\^$.*+?()[\]{}|/-])/g, '$1');
}

/** The classes before and after a possessive `?+` or `++` of a tokenizer share no character, so it gives nothing back. */
function withoutPossessives(source: string): string {
  return source.replace(/([?*+]|\{\d+(?:,\d*)?\})\+/g, '$1');
}
