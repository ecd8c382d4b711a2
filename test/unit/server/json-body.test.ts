import { describe, expect, it } from 'vitest';
import { isTooDeep, toJsonText } from '../../../lib/server/http/json-body.js';

const nested = (depth: number, inner = '') => '['.repeat(depth) + inner + ']'.repeat(depth);

describe('the text of a body', () => {
  it('may be nested 200 times, and not once more', () => {
    expect(isTooDeep(Buffer.from(nested(200)))).toBe(false);
    expect(isTooDeep(Buffer.from(nested(201)))).toBe(true);
    expect(isTooDeep(Buffer.from('{"a":'.repeat(201)))).toBe(true);
    expect(() => toJsonText(Buffer.from(nested(100_000)))).toThrow(
      expect.objectContaining({ code: 'nested_too_deeply', status: 400 }),
    );
  });

  it('may have many brackets beside each other, and in texts', () => {
    expect(isTooDeep(Buffer.from(`[${'[],'.repeat(1000)}[]]`))).toBe(false);
    expect(
      isTooDeep(Buffer.from(JSON.stringify({ text: nested(1000), more: `\\"${'{'.repeat(500)}` }))),
    ).toBe(false);
    expect(isTooDeep(Buffer.from(JSON.stringify('"\\') + nested(201)))).toBe(true);
  });

  it('has to be UTF-8', () => {
    expect(toJsonText(Buffer.from('{"a":"ü🙂"}'))).toBe('{"a":"ü🙂"}');
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc3, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(() => toJsonText(Buffer.from(bytes))).toThrow(expect.objectContaining({ code: 'invalid_utf8' }));
    }
  });
});
