import type { CharacterSet } from './character-set.js';

const known = new Map<string, CharacterSet>();

/**
 * The characters with a Unicode property, as JavaScript itself knows it.
 * @param name as it stands between the braces of `\p{…}`, such as `L` or `Script=Han`.
 * @throws SyntaxError for a property that JavaScript does not know.
 */
export function charactersWith(name: string): CharacterSet {
  const found = known.get(name);
  if (found !== undefined) return found;
  const property = new RegExp(`^\\p{${name}}$`, 'u');
  const ranges: [number, number][] = [];
  for (let code = 1; code <= 0x10ffff; code++) {
    if (code === 0xd800) code = 0xe000; // halves of characters
    if (!property.test(String.fromCodePoint(code))) continue;
    const last = ranges.at(-1);
    if (last?.[1] === code - 1) last[1] = code;
    else ranges.push([code, code]);
  }
  known.set(name, ranges);
  return ranges;
}
