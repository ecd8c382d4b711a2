import { type CharacterSet, intersect, usableOf, without } from './character-set.js';
import type { RegexNode } from './regex-parser.js';

/** What a text in JSON holds only as an escape: control characters, quotes and backslashes. Source: RFC 8259. */
const escaped: CharacterSet = [
  [0x00, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];

/** Characters with an escape of one letter. */
const shortEscapes: readonly (readonly [character: number, letter: string])[] = [
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
  [0x22, '"'],
  [0x5c, '\\'],
];

function oneOf(letters: string): RegexNode {
  const codes = [...letters].map((letter) => letter.charCodeAt(0)).sort((a, b) => a - b);
  return { kind: 'characters', set: codes.map((code) => [code, code] as const) };
}

function has(set: CharacterSet, code: number): boolean {
  return intersect(set, [[code, code]]).length > 0;
}

/** The escapes of the characters of a set that cannot stand for themselves. */
function escapesOf(set: CharacterSet): RegexNode[] {
  const escapes: RegexNode[] = [];
  const isShort = (code: number) => shortEscapes.some(([character]) => character === code);
  const letters = shortEscapes.filter(([character]) => has(set, character)).map(([, letter]) => letter);
  if (letters.length > 0) escapes.push({ kind: 'sequence', parts: [oneOf('\\'), oneOf(letters.join(''))] });
  for (const high of [0, 1]) {
    const codes = Array.from({ length: 16 }, (_, low) => 16 * high + low);
    const digits = codes
      .filter((code) => has(set, code) && !isShort(code))
      .map((code) => (code % 16).toString(16));
    const parts = [...'\\u00', String(high), digits.join('') + digits.join('').toUpperCase()].map(oneOf);
    if (digits.length > 0) escapes.push({ kind: 'sequence', parts });
  }
  return escapes;
}

function spellCharacters(set: CharacterSet): RegexNode {
  const usable = usableOf(set);
  const escapes = escapesOf(intersect(usable, escaped));
  if (escapes.length === 0) return { kind: 'characters', set: usable };
  const plain = without(usable, escaped);
  const options = plain.length === 0 ? escapes : [{ kind: 'characters', set: plain } as const, ...escapes];
  return { kind: 'alternatives', options };
}

/** An expression for texts as an expression for what stands between their quotes in JSON. */
export function spellInJson(node: RegexNode): RegexNode {
  switch (node.kind) {
    case 'characters':
      return spellCharacters(node.set);
    case 'sequence':
      return { kind: 'sequence', parts: node.parts.map(spellInJson) };
    case 'alternatives':
      return { kind: 'alternatives', options: node.options.map(spellInJson) };
    case 'repetition':
      return { ...node, of: spellInJson(node.of) };
  }
}
