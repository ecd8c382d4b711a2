import { describe, expect, it } from 'vitest';
import { createError } from '../../lib/errors.js';
import { InvalidArgumentError } from '../../lib/index.js';
import { decodePacked, encodeMessage, packMessage } from '../../lib/isolate/message-codec.js';
import { MessageReader } from '../../lib/isolate/message-reader.js';
import { toError, toSentError } from '../../lib/isolate/protocol.js';

function bytesOf(...messages: unknown[]): Buffer {
  return Buffer.concat(messages.flatMap(encodeMessage));
}

/** What a reader makes of bytes that arrive in pieces of a length. */
function readInPieces(bytes: Buffer, length: number): unknown[] {
  const messages: unknown[] = [];
  const reader = new MessageReader((message) => messages.push(message));
  for (let at = 0; at < bytes.length; at += length) reader.push(bytes.subarray(at, at + length));
  return messages;
}

const large = Float32Array.from({ length: 17_000 }, (_, index) => (index % 7 === 0 ? -Infinity : index / 3));

describe('messages to an engine', () => {
  const message = {
    type: 'events',
    numbers: [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53],
    texts: ['', '你好 😀', '\ud800 alone', '\0'],
    missing: undefined,
    small: Int32Array.from([1, -2, 3]),
    bytes: new Uint8Array(1000).fill(7).subarray(3, 900),
    none: new Float32Array(),
    large,
    alsoLarge: new Uint8Array(70_000).fill(9),
  };

  it('arrive as they were sent, wherever the pipe cuts them', () => {
    const bytes = bytesOf(message, { type: 'ping' }, message);
    for (const length of [bytes.length, 65_536, 997]) {
      expect(readInPieces(bytes, length)).toEqual([message, { type: 'ping' }, message]);
    }
    expect(readInPieces(bytesOf({ type: 'ping' }, { large: new Float32Array(16_384) }), 1)).toHaveLength(2);
  });

  it('bring arrays that are their own and start where their type asks', () => {
    const [read] = readInPieces(bytesOf(message), 1000) as [typeof message];
    expect(read.large.byteOffset % 4).toBe(0);
    expect(read.small.byteOffset % 4).toBe(0);
    read.large[0] = 5;
    expect(large[0]).toBe(-Infinity);
  });

  it('cannot hold functions', () => {
    expect(() => encodeMessage({ call: () => {} })).toThrow(/could not be cloned/);
  });

  it('that are none are refused, whatever the bytes are', () => {
    const bytes = bytesOf(message);
    let refused = 0;
    for (let at = 0; at < 2000; at++) {
      const damaged = Buffer.from(bytes);
      const place = at < 500 ? at : (at * 7919) % bytes.length;
      damaged[place] = (damaged[place] ?? 0) ^ (1 << (at % 8));
      const read: unknown[] = [];
      try {
        new MessageReader((found) => read.push(found)).push(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        refused++;
      }
      expect(read.length).toBeLessThanOrEqual(1);
    }
    expect(refused).toBeGreaterThan(20); // most flips change a number, which is a message still
  });

  it('arrive in one piece too, and are refused when they are cut or something else', () => {
    const packed = packMessage(message);
    expect(decodePacked(packed)).toEqual(message);
    for (let length = 0; length < packed.length; length += 1009) {
      expect(() => decodePacked(packed.subarray(0, length))).toThrow();
    }
    for (const other of [undefined, 'text', {}, new Uint8Array(64)])
      expect(() => decodePacked(other)).toThrow();
  });

  it('are not waited for with memory that a header only promises', () => {
    const before = process.memoryUsage().arrayBuffers;
    const header = Buffer.alloc(12 + 6);
    header.writeUInt32LE(0x31454e4c, 0);
    header.writeUInt32LE(10, 4);
    header.writeUInt32LE(1, 8);
    header.writeUIntLE(2 ** 39, 12, 6);
    const reader = new MessageReader(() => {});
    reader.push(header);
    reader.push(Buffer.alloc(10));
    reader.push(Buffer.alloc(100));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('errors that cross', () => {
  it('keep their class, code, message and details', () => {
    const sent = toSentError(createError('INVALID_TOKEN', 'No such token.', { details: { token: 7 } }));
    const error = toError(sent);
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ code: 'INVALID_TOKEN', message: 'No such token.', details: { token: 7 } });
  });

  it('that are none of ours are defects', () => {
    expect(toError(toSentError(new TypeError('x is undefined')))).toMatchObject({
      code: 'INTERNAL',
      message: 'x is undefined',
    });
    expect(toError({ code: 'NONSENSE' as never, message: 'm', details: {} }).code).toBe('INTERNAL');
  });
});
