import { execFileSync } from 'node:child_process';
import { mkdir, readFile, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GgufStringArray, readGgufHeader } from '../../lib/gguf/index.js';
import { tensorTypes } from '../../lib/gguf/tensor-types.js';
import {
  bestTime,
  rejection,
  temporaryFile,
  text,
  writeBytes,
  writeTinyModel,
} from '../helpers/gguf-files.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';

/** A header: magic, version, number of tensors, number of metadata entries, and what follows. */
function headerBytes(version: number, tensors: bigint, entries: bigint, ...rest: Buffer[]): Buffer {
  const start = Buffer.alloc(24);
  start.write('GGUF');
  start.writeUInt32LE(version, 4);
  start.writeBigUInt64LE(tensors, 8);
  start.writeBigUInt64LE(entries, 16);
  return Buffer.concat([start, ...rest]);
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function string(value: string): Buffer {
  return Buffer.concat([uint64(BigInt(Buffer.byteLength(value))), Buffer.from(value)]);
}

async function reasonFor(bytes: Uint8Array | string, code = 'MODEL_INVALID'): Promise<string> {
  return (await rejection(readGgufHeader(await writeBytes(bytes)), code)).message;
}

describe('reading a GGUF header', () => {
  it('reads 152 000 tokens within 200 ms and decodes only those that are asked for', async () => {
    const path = vendoredPath('models', 'ggml-vocab-qwen2.gguf');
    const header = await readGgufHeader(path);
    expect(await bestTime(() => readGgufHeader(path))).toBeLessThan(200);
    const tokens = header.metadata.get('tokenizer.ggml.tokens')?.value;
    expect(tokens instanceof GgufStringArray && [tokens.length, tokens.at(0), tokens.at(151_643)]).toEqual([
      151_936,
      '!',
      '<|endoftext|>',
    ]);
    expect(tokens instanceof GgufStringArray && tokens.at(151_936)).toBeUndefined();
  });

  it('reads version 2, and a file without tensors', async () => {
    const header = await readGgufHeader(vendoredPath('models', 'ggml-vocab-aquila.gguf'));
    expect([header.version, header.tensors.length, header.dataOffset]).toEqual([2, 0, header.fileSize]);
  });

  it('stops when it is told to', async () => {
    const path = await writeTinyModel();
    await rejection(readGgufHeader(path, { signal: AbortSignal.abort() }), 'ABORTED');
  });

  it('has the same data types as the vendored gguf-py', async () => {
    const source = await readVendored('gguf-py', 'gguf', 'constants.py');
    const numbers = new Map(
      [...source.matchAll(/^ {4}(\w+)\s+= (\d+)$/gm)].map(([, name, number]) => [name, Number(number)]),
    );
    const table = /GGML_QUANT_SIZES[^{]*\{([^}]*)\}/.exec(source)?.[1] ?? '';
    const expected = [...table.matchAll(/GGMLQuantizationType\.(\w+):\s+\((\d+), ([^)]*)\)/g)].map(
      ([, name = '', blockSize, bytes = '']) => ({
        name,
        blockSize: Number(blockSize),
        blockBytes: sum(bytes.replaceAll('QK_K', '256')),
      }),
    );
    expect(expected.length).toBeGreaterThan(30);
    expect(tensorTypes.map(({ id: _, ...type }) => type).sort(byName)).toEqual(expected.sort(byName));
    const types = /class GGMLQuantizationType\(IntEnum\):\n((?: {4}.*\n)+)/.exec(source)?.[1] ?? '';
    for (const { id, name } of tensorTypes) {
      expect([name, Number(new RegExp(`^ {4}${name}\\s+= (\\d+)$`, 'm').exec(types)?.[1])]).toEqual([
        name,
        id,
      ]);
    }
    expect(numbers.size).toBeGreaterThan(30);
  });
});

function byName(one: { name: string }, other: { name: string }): number {
  return one.name < other.name ? -1 : 1;
}

/** The value of a sum of products and whole quotients, such as `2 + 256 // 16 + 4 * 13`. */
function sum(expression: string): number {
  return expression
    .split('+')
    .map((term) => {
      const [first = 0, ...others] = term.split(/\/\/|\*/).map(Number);
      return term.includes('//')
        ? others.reduce((value, divisor) => Math.floor(value / divisor), first)
        : others.reduce((value, factor) => value * factor, first);
    })
    .reduce((total, term) => total + term, 0);
}

describe('a path that is no model file', () => {
  it('says that nothing is there', async () => {
    const path = join(dirname(await temporaryFile()), 'missing.gguf');
    expect((await rejection(readGgufHeader(path), 'MODEL_NOT_FOUND')).message).toContain('does not exist');
  });

  it('says that it is a directory', async () => {
    const path = await temporaryFile('folder');
    await mkdir(path);
    expect((await rejection(readGgufHeader(path), 'MODEL_NOT_FOUND')).message).toContain('a directory');
  });

  it('does not wait for a named pipe', async () => {
    const path = await temporaryFile('pipe');
    execFileSync('mkfifo', [path]);
    expect((await rejection(readGgufHeader(path), 'MODEL_NOT_FOUND')).message).toContain(
      'not a regular file',
    );
  });

  it('refuses an empty path', async () => {
    await rejection(readGgufHeader(''), 'INVALID_ARGUMENT');
  });
});

describe('a file that is not GGUF', () => {
  const safetensors = Buffer.concat([uint64(20n), Buffer.from('{"weight":{"a":1}}  ')]);
  it.each<[string, Uint8Array | string, string]>([
    ['empty', '', 'it is empty'],
    ['a web page', '<!DOCTYPE html>\n<html><body>Not Found</body></html>', 'a web page'],
    [
      'a Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
      'a Git LFS pointer',
    ],
    ['a PyTorch checkpoint', 'PK\x03\x04rest', 'a ZIP archive'],
    ['a safetensors file', safetensors, 'a safetensors file'],
    ['an old GGML file', 'lmgg\x01', 'old GGML format'],
    ['zeros', new Uint8Array(100), 'starts with zeros'],
    ['text', 'Hello, world\nand more', 'a text file that starts with "Hello, world"'],
    ['Chinese text', '你好，世界', 'a text file that starts with "你好，世界"'],
    ['something else', new Uint8Array([1, 2, 3, 255]), "starts with 01 02 03 ff, not with 'GGUF'"],
    ['two bytes', 'GG', 'a text file'],
  ])('says when it is %s', async (_name, bytes, reason) => {
    expect(await reasonFor(bytes)).toContain(reason);
  });
});

describe('a damaged header', () => {
  const anEntry = [string('key'), uint32(8), string('value')];
  const tensor = (...parts: Buffer[]) => headerBytes(3, 1n, 0n, string('t'), ...parts, Buffer.alloc(32));

  it.each<[string, Buffer, string]>([
    ['a version it does not know', headerBytes(0, 0n, 0n), 'version 0'],
    ['no room for its tensors', headerBytes(3, 2n ** 63n, 0n), 'announces 9223372036854775808 tensors'],
    ['no room for its entries', headerBytes(3, 0n, 2n ** 64n - 1n), 'metadata entries'],
    ['an endless key', headerBytes(3, 0n, 1n, uint64(2n ** 62n), Buffer.alloc(20)), 'truncated'],
    [
      'a key of 70 000 bytes',
      headerBytes(3, 0n, 1n, string('k'.repeat(70_000)), uint32(7), Buffer.alloc(1)),
      '65535 is the most',
    ],
    ['an empty key', headerBytes(3, 0n, 1n, string(''), uint32(8), string('value')), 'empty key'],
    ['a zero byte in a key', headerBytes(3, 0n, 1n, string('k\0'), uint32(8), string('value')), 'zero byte'],
    ['a key twice', headerBytes(3, 0n, 2n, ...anEntry, ...anEntry), "'key' occurs twice"],
    [
      'an unknown value type',
      headerBytes(3, 0n, 1n, string('key'), uint32(13), Buffer.alloc(9)),
      'value type 13',
    ],
    [
      'an endless array',
      headerBytes(3, 0n, 1n, string('key'), uint32(9), uint32(4), uint64(2n ** 60n)),
      'announces 1152921504606846976 elements',
    ],
    [
      'an array of strings cut off',
      headerBytes(3, 0n, 1n, string('key'), uint32(9), uint32(8), uint64(2n), string('one'), Buffer.alloc(7)),
      'truncated',
    ],
    ['five dimensions', tensor(uint32(5)), '5 dimensions'],
    ['a negative dimension', tensor(uint32(1), uint64(2n ** 64n - 1n)), 'dimension 0'],
    ['an unknown tensor type', tensor(uint32(1), uint64(1n), uint32(99)), 'unknown data type 99'],
    ['half a block in a row', tensor(uint32(1), uint64(31n), uint32(8)), 'not a multiple of the 32'],
    ['a tensor larger than the file', tensor(uint32(1), uint64(2n ** 40n), uint32(0)), 'the whole file has'],
    [
      'dimensions whose product has no end',
      tensor(uint32(4), ...Array(4).fill(uint64(2n ** 53n - 1n)), uint32(0)),
      'the whole file has',
    ],
    [
      'tensor data past the end',
      tensor(uint32(1), uint64(1n), uint32(0), uint64(2n ** 63n)),
      'past the end of the file',
    ],
    [
      'an alignment that is no power of two',
      headerBytes(3, 0n, 1n, string('general.alignment'), uint32(4), uint32(33)),
      'power of two',
    ],
  ])('is refused with %s', async (_name, bytes, reason) => {
    expect(await reasonFor(bytes)).toContain(reason);
  });

  it.each<[string, Buffer, string]>([
    ['version 1', headerBytes(1, 0n, 0n), 'version 1'],
    ['a version of the future', headerBytes(4, 0n, 0n), 'newer version'],
    ['the other byte order', headerBytes(0x03000000, 0n, 0n), 'big-endian'],
    ['a data type that llama.cpp dropped', tensor(uint32(1), uint64(32n), uint32(4)), 'Q4_2'],
    [
      'an array of arrays',
      headerBytes(3, 0n, 1n, string('key'), uint32(9), uint32(9), uint64(0n)),
      'array of arrays',
    ],
  ])('is not supported with %s', async (_name, bytes, reason) => {
    expect(await reasonFor(bytes, 'MODEL_UNSUPPORTED')).toContain(reason);
  });

  it('is refused at every length that is too short', async () => {
    const whole = await readFile(await writeTinyModel({ 'general.name': text('x') }, []));
    const path = await writeBytes(whole);
    for (let length = whole.length - 1; length >= 0; length--) {
      await truncate(path, length);
      await rejection(readGgufHeader(path), 'MODEL_INVALID');
    }
  });

  it('takes no memory for a count that the file has no room for', async () => {
    const before = process.memoryUsage().arrayBuffers;
    await reasonFor(headerBytes(3, 0n, 1n, string('key'), uint32(9), uint32(8), uint64(2n ** 31n)));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });
});
