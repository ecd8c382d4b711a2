import { describe, expect, it } from 'vitest';
import {
  boundStateLength,
  encodeEntryHead,
  entryName,
  fixedLength,
  parseEntryLayout,
  parseEntryTokens,
} from '../../lib/engine/disk-entry.js';

const fingerprint = Buffer.alloc(32, 5);
const tokens = Int32Array.from([1, 2, 300_000, 7]);
const state = Buffer.from(Array.from({ length: 200 }, (_, index) => index));
const whole = Buffer.concat([encodeEntryHead(fingerprint, tokens, state), state]);

function parse(bytes: Buffer) {
  const fixed = bytes.subarray(0, fixedLength);
  const layout = parseEntryLayout(fixed, bytes.length);
  if (typeof layout === 'string') return layout;
  const begin = fixedLength + layout.tokenCount * 4;
  return parseEntryTokens(
    fixed,
    bytes.subarray(fixedLength, begin),
    bytes.subarray(begin, begin + boundStateLength),
  );
}

describe('the head of a file of the disk tier', () => {
  it('reads back as it was written', () => {
    expect(parse(whole)).toEqual(tokens);
    const layout = parseEntryLayout(whole.subarray(0, fixedLength), whole.length);
    expect(layout).toEqual({ tokenCount: 4, stateLength: 200, fingerprint });
  });

  it('is refused for each flipped bit of it, of the tokens and of the beginning of the state', () => {
    const checked = fixedLength + tokens.length * 4 + boundStateLength;
    for (let bit = 0; bit < checked * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const parsed = parse(damaged);
      expect(parsed === undefined || typeof parsed === 'string', `bit ${bit}`).toBe(true);
    }
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['cut', whole.subarray(0, fixedLength - 1)],
    ['of another kind', Buffer.alloc(500, 'hello')],
  ])('is foreign when the file is %s', (_, bytes) => {
    expect(parse(bytes)).toBe('foreign');
  });

  it('believes no length that the file does not have', () => {
    for (const [offset, value] of [
      [12, 0xffffffff],
      [12, 0],
      [48, 0xffffffff],
      [52, 0xffffffff],
    ] as const) {
      const damaged = Buffer.from(whole);
      damaged.writeUInt32LE(value, offset);
      expect(parse(damaged)).toBe('damaged');
    }
  });
});

describe('the name of a file', () => {
  it('is the same for the same tokens of the same model, and only then', () => {
    const names = [
      entryName(fingerprint, tokens),
      entryName(fingerprint, Int32Array.from([1, 2, 300_000])),
      entryName(Buffer.alloc(32, 6), tokens),
    ];
    expect(new Set(names).size).toBe(3);
    expect(entryName(fingerprint, Int32Array.from([9, ...tokens]).subarray(1))).toBe(names[0]);
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{40}\.lnprefix$/);
  });
});
