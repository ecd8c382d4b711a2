import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { PartialJsonParser } from '../../lib/object/partial-json.js';

/** Numbers from 0 to below, the same each time. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const strings = [
  '',
  'a',
  '"',
  '\\',
  'line\nbreak\t',
  '日本',
  '😀',
  '\ud800',
  '\udc00x',
  'é/',
  '\u0000\u001f',
  '__proto__',
];

function randomValue(random: (below: number) => number, depth: number): unknown {
  const kind = random(depth > 0 ? 8 : 5);
  if (kind === 0) return null;
  if (kind === 1) return random(2) === 0;
  if (kind === 2) return [0, -0.5, 12, 1e21, -1.5e-7, 123456789][random(6)];
  if (kind <= 4) return strings[random(strings.length)] + (strings[random(strings.length)] ?? '');
  const items = Array.from({ length: random(4) }, () => randomValue(random, depth - 1));
  if (kind === 5) return items;
  return Object.fromEntries(
    items.map((item, index) => [strings[random(strings.length)] + 'k'.repeat(index), item]),
  );
}

/** The same value in other characters: with spaces, and with escapes where none are needed. */
function write(value: unknown, random: (below: number) => number): string {
  const text = JSON.stringify(value, null, random(3));
  return random(2) === 0
    ? text
    : text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Whether a value may be the beginning of another: texts shorter, items and properties fewer, all else equal. */
function isBeginningOf(partial: unknown, whole: unknown): boolean {
  if (partial === undefined) return true;
  if (typeof partial === 'string') return typeof whole === 'string' && whole.startsWith(partial);
  if (typeof partial !== 'object' || partial === null) return Object.is(partial, whole);
  if (typeof whole !== 'object' || whole === null || Array.isArray(partial) !== Array.isArray(whole))
    return false;
  const known = Object.keys(partial);
  return known.every(
    (key, index) =>
      Object.hasOwn(whole, key) &&
      // Only the last child may be incomplete.
      (index === known.length - 1
        ? isBeginningOf(Reflect.get(partial, key), Reflect.get(whole, key))
        : isDeepStrictEqual(Reflect.get(partial, key), Reflect.get(whole, key))),
  );
}

describe('JSON that arrives in pieces', () => {
  it('is at each character the beginning of the whole, and never takes anything back', () => {
    const random = randomNumbers(7);
    let characters = 0;
    for (let round = 0; round < 600; round++) {
      const whole = randomValue(random, 4);
      const text = write(whole, random);
      const parser = new PartialJsonParser();
      let before: unknown;
      for (const unit of text.split('')) {
        const changes = parser.changes;
        parser.push(unit);
        const now = parser.value;
        expect(isBeginningOf(now, JSON.parse(text)), `${text} at ${JSON.stringify(now)}`).toBe(true);
        expect(isBeginningOf(before, now), `${text} at ${JSON.stringify(now)}`).toBe(true);
        if (parser.changes === changes) expect(now).toStrictEqual(before);
        before = now;
        characters++;
      }
      parser.end();
      expect(parser.isComplete).toBe(true);
      expect(parser.value).toStrictEqual(JSON.parse(text));
    }
    expect(characters).toBeGreaterThan(10_000);
  });

  it('may be cut anywhere', () => {
    const random = randomNumbers(8);
    for (let round = 0; round < 300; round++) {
      const text = write(randomValue(random, 4), random);
      const parser = new PartialJsonParser();
      for (let at = 0; at < text.length; ) {
        const length = 1 + random(9);
        parser.push(text.slice(at, at + length));
        at += length;
      }
      parser.end();
      expect(parser.value).toStrictEqual(JSON.parse(text));
    }
  });

  it.each([
    ['', undefined],
    ['  ', undefined],
    ['{', {}],
    ['{"na', {}],
    ['{"name"', {}],
    ['{"name": ', {}],
    ['{"name": "', { name: '' }],
    ['{"name": "An', { name: 'An' }],
    ['{"name": "An\\u00', { name: 'An' }],
    ['{"name": "\\ud83d', { name: '' }],
    ['{"name": "\\ud83d\\ude00', { name: '😀' }],
    ['{"age": 1', {}],
    ['{"age": 1,', { age: 1 }],
    ['{"is": tru', {}],
    ['{"is": true', { is: true }],
    ['[1, [2, 3', [1, [2]]],
    ['[1, {"a": {}', [1, { a: {} }]],
  ])('%s reads as %j', (text, value) => {
    const parser = new PartialJsonParser();
    parser.push(text);
    expect(parser.value).toStrictEqual(value);
    expect(parser.isComplete).toBe(false);
  });

  it('gives values that do not change afterwards', () => {
    const parser = new PartialJsonParser();
    parser.push('{"list": [1, 2');
    const early = parser.value;
    parser.push(', 3]}');
    expect(early).toStrictEqual({ list: [1] });
    expect(parser.value).toStrictEqual({ list: [1, 2, 3] });
  });

  it('tells the complete items of an array', () => {
    const parser = new PartialJsonParser();
    parser.push('[{"a": 1}, {"a"');
    expect(parser.items).toStrictEqual([{ a: 1 }]);
    parser.push(': 2}]');
    expect(parser.items).toStrictEqual([{ a: 1 }, { a: 2 }]);
  });

  it.each([
    ']',
    '{]',
    '[}',
    '{1',
    '[,',
    '{"a" 1',
    '[1 2',
    'nul1 ',
    '1.2.3 ',
    '{} x',
    '"\n',
    '"\\x',
    '"\\u00g',
    '[1,]',
    '{"a":1,}',
  ])('%j is refused', (text) => {
    expect(() => new PartialJsonParser().push(text)).toThrow(SyntaxError);
  });

  it('takes time in proportion to its length, and nesting without bound', () => {
    const parser = new PartialJsonParser();
    const depth = 200_000;
    parser.push('['.repeat(depth));
    parser.push('"');
    for (let index = 0; index < 1000; index++) parser.push('a'.repeat(100));
    parser.push(`"${']'.repeat(depth)}`);
    expect(parser.isComplete).toBe(true);

    const secondsFor = (count: number) => {
      const begin = performance.now();
      const list = new PartialJsonParser();
      list.push('[');
      for (let index = 0; index < count; index++) list.push('{"a": "text", "b": 12},');
      return performance.now() - begin;
    };
    secondsFor(20_000);
    const few = Math.min(...[0, 1, 2].map(() => secondsFor(20_000)));
    const many = Math.min(...[0, 1, 2].map(() => secondsFor(160_000)));
    // Eight times the text; in proportion to its square it would be 64 times the time.
    expect(many / few).toBeLessThan(24);
  });
});
