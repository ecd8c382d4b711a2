import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chinese } from '../../../page/i18n/chinese.js';
import { english } from '../../../page/i18n/english.js';
import { fill, type MessageKey, placeholders } from '../../../page/i18n/fill.js';

const keys = Object.keys(english) as MessageKey[];
const page = join(import.meta.dirname, '../../../page');

function sources(): string {
  return readdirSync(page, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !/(?:english|chinese)\.ts$/.test(name))
    .map((name) => readFileSync(join(page, name), 'utf8'))
    .join('\n');
}

describe('the texts of the page', () => {
  it('are there in Chinese as in English', () => {
    expect(Object.keys(chinese)).toEqual(keys);
    for (const key of keys) expect(chinese[key], key).not.toBe('');
  });

  it('want the same values in both languages', () => {
    for (const key of keys) expect(placeholders(chinese[key]), key).toEqual(placeholders(english[key]));
  });

  it('are in Chinese where they are words', () => {
    const same = keys.filter((key) => !/\p{Script=Han}/u.test(chinese[key]));
    expect(same).toEqual(['topP', 'minP', 'topK', 'formatSchemaShort', 'schema']);
  });

  it('are all used', () => {
    const text = sources();
    const unused = keys.filter(
      (key) => !/^(?:state|import)_/.test(key) && !new RegExp(`['"]${key}['"]`).test(text),
    );
    expect(unused).toEqual([]);
  });

  it('are filled with values, and show a name whose value is missing', () => {
    expect(fill('{a} of {b}', { a: 0, b: 'c' })).toBe('0 of c');
    expect(fill('{a}', {})).toBe('{a}');
    expect(fill('{a}', { a: '$&{b}' })).toBe('$&{b}');
  });
});
