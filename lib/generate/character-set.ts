/** Code points as ranges, both ends included, in ascending order without gaps of zero between them. */
export type CharacterSet = readonly (readonly [first: number, last: number])[];

/** The last code point of the basic plane, beyond which a text in JavaScript takes two units. */
const lastOfBasicPlane = 0xffff;
const lastCodePoint = 0x10ffff;

/** The halves of characters beyond the basic plane, which are characters only to an expression without the flag u. */
const surrogates: CharacterSet = [[0xd800, 0xdfff]];

/** Sorts ranges and joins those that touch. */
export function unite(...sets: readonly CharacterSet[]): CharacterSet {
  const united: [number, number][] = [];
  for (const [first, last] of sets.flat().sort((a, b) => a[0] - b[0])) {
    const previous = united.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else united.push([first, last]);
  }
  return united;
}

/** All other code points. */
function invert(set: CharacterSet): CharacterSet {
  const inverted: [number, number][] = [];
  let next = 0;
  for (const [first, last] of unite(set, [[lastCodePoint + 1, lastCodePoint + 1]])) {
    if (first > next) inverted.push([next, first - 1]);
    next = last + 1;
  }
  return inverted;
}

/** What several sets have in common. */
export function intersect(...sets: readonly CharacterSet[]): CharacterSet {
  return invert(unite(...sets.map(invert)));
}

/** A set without the characters of another. */
export function without(set: CharacterSet, excluded: CharacterSet): CharacterSet {
  return intersect(set, invert(excluded));
}

/**
 * All other characters, without NUL, which ends a text in llama.cpp.
 * @param isUnicode false: of those that are two units of a text only the halves, as a regular expression without the
 * flag u sees them.
 */
export function complementOf(set: CharacterSet, isUnicode: boolean): CharacterSet {
  const unusable = isUnicode ? surrogates : ([[lastOfBasicPlane + 1, lastCodePoint]] as const);
  return invert(unite(set, unusable, [[0, 0]]));
}

/**
 * What an endless repetition of a set admits: without the flag u a character of two halves is as good as two characters
 * there, so if both are in the set, no bound is broken by the whole.
 */
export function joinHalves(set: CharacterSet): CharacterSet {
  const hasHalves = intersect(set, surrogates).some(([first, last]) => first === 0xd800 && last === 0xdfff);
  return hasHalves ? unite(set, [[lastOfBasicPlane + 1, lastCodePoint]]) : set;
}

/** The set without what no answer can hold: NUL and halves of characters. */
export function usableOf(set: CharacterSet): CharacterSet {
  return without(set, unite(surrogates, [[0, 0]]));
}

export const digits: CharacterSet = [[0x30, 0x39]];

export const wordCharacters: CharacterSet = unite(digits, [
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);

/** What ends a line, for the dot. Source: LineTerminator of ECMA-262. */
export const lineEnds: CharacterSet = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];

/** Source: WhiteSpace and LineTerminator of ECMA-262. */
export const whiteSpace: CharacterSet = unite(lineEnds, [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);

/** The set with the other case of its Latin letters. */
export function foldCase(set: CharacterSet): CharacterSet {
  const shifted = (from: number, to: number, by: number): CharacterSet =>
    set
      .map(([first, last]) => [Math.max(first, from) + by, Math.min(last, to) + by] as const)
      .filter(([first, last]) => first <= last);
  return unite(set, shifted(0x41, 0x5a, 0x20), shifted(0x61, 0x7a, -0x20));
}

function escapeCodePoint(codePoint: number): string {
  return codePoint > lastOfBasicPlane
    ? `\\U${codePoint.toString(16).padStart(8, '0')}`
    : `\\u${codePoint.toString(16).padStart(4, '0')}`;
}

/** The set as a class of a grammar, without what no answer can hold. */
export function toGrammarClass(set: CharacterSet): string {
  const ranges = usableOf(set).map(([first, last]) =>
    first === last ? escapeCodePoint(first) : `${escapeCodePoint(first)}-${escapeCodePoint(last)}`,
  );
  return `[${ranges.join('')}]`;
}
