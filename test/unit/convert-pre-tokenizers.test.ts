import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { identifyPreTokenizer } from '../../lib/convert/tokenizer/pre-tokenizer.js';
import { preTokenizersByHash } from '../../lib/convert/tokenizer/pre-tokenizer-table.js';
import { probeText } from '../../lib/convert/tokenizer/probe-text.js';
import { readTokenizerModel } from '../../lib/convert/tokenizer/tokenizer-model.js';
import { mergesTokenizer } from '../helpers/checkpoint-tokenizers.js';

const converter = readFileSync(new URL('../../vendor/llama.cpp/conversion/base.py', import.meta.url), 'utf8');

test("the table of pre-tokenizers is that of the pinned llama.cpp's converter", () => {
  const entries = converter.matchAll(/chkhsh == "([0-9a-f]{64})":\n(?:\s*#.*\n)*\s*res = "([^"]+)"/g);
  const vendored = Object.fromEntries([...entries].map(([, hash, name]) => [hash, name]));
  expect(Object.keys(vendored).length).toBeGreaterThan(90);
  expect(preTokenizersByHash).toEqual(vendored);
});

test('the probe text is that of the converter', () => {
  const [, literal = ''] = /chktxt = '(.*)'\n/.exec(converter) ?? [];
  const text = literal.replace(/\\(u[0-9a-f]{4}|.)/g, (_, code: string) => {
    if (code.startsWith('u')) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return { n: '\n', t: '\t' }[code] ?? code;
  });
  expect(probeText).toBe(text);
});

test.each(['qwen2', 'llama-bpe', 'smollm', 'gpt-2'] as const)(
  'a new vocabulary that is cut like %s is recognized by its patterns',
  (way) => {
    const json = mergesTokenizer(way)['tokenizer.json'] as Record<string, unknown>;
    expect(identifyPreTokenizer('folder', json, readTokenizerModel('tokenizer.json', json))).toBe(way);
  },
);

test('a way of cutting that nobody knows is refused with its hash and the option that helps', () => {
  const json = mergesTokenizer('qwen2')['tokenizer.json'] as Record<string, unknown>;
  const pattern = { type: 'Split', pattern: { Regex: '[aeiou]+' }, behavior: 'Isolated', invert: false };
  const unknown = { ...json, pre_tokenizer: pattern };
  expect(() =>
    identifyPreTokenizer('folder', unknown, readTokenizerModel('tokenizer.json', unknown)),
  ).toThrow(/hash of the test text: [0-9a-f]{64}.*preTokenizer/);
});
