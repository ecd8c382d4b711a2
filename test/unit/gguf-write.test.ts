import { access, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { GgufStringArray, type GgufValueInput, readGgufHeader, writeGguf } from '../../lib/gguf/index.js';
import { filledTensor, rejection, temporaryFile, tinyMetadata } from '../helpers/gguf-files.js';

const everyType: Record<string, GgufValueInput> = {
  a: { type: 'uint8', value: 255 },
  b: { type: 'int8', value: -128 },
  c: { type: 'uint16', value: 65_535 },
  d: { type: 'int16', value: -32_768 },
  e: { type: 'uint32', value: 4_294_967_295 },
  f: { type: 'int32', value: -2_147_483_648 },
  g: { type: 'float32', value: 0.5 },
  h: { type: 'bool', value: true },
  i: { type: 'string', value: '你好 👋' },
  j: { type: 'uint64', value: 2n ** 64n - 1n },
  k: { type: 'int64', value: -5 },
  l: { type: 'float64', value: Math.PI },
};

const everyArray: Record<string, GgufValueInput> = {
  a: { type: 'array', elementType: 'uint8', value: new Uint8Array([1, 2, 3]) },
  b: { type: 'array', elementType: 'int8', value: new Int8Array([-1, 2]) },
  c: { type: 'array', elementType: 'uint16', value: new Uint16Array([1, 65_535]) },
  d: { type: 'array', elementType: 'int16', value: new Int16Array([-1]) },
  e: { type: 'array', elementType: 'uint32', value: new Uint32Array([1, 4_294_967_295]) },
  f: { type: 'array', elementType: 'int32', value: new Int32Array([-1, 7]) },
  g: { type: 'array', elementType: 'float32', value: new Float32Array([0.25, -1]) },
  h: { type: 'array', elementType: 'bool', value: new Uint8Array([1, 0]) },
  j: { type: 'array', elementType: 'uint64', value: new BigUint64Array([2n ** 63n]) },
  k: { type: 'array', elementType: 'int64', value: new BigInt64Array([-1n]) },
  l: { type: 'array', elementType: 'float64', value: new Float64Array([1e300]) },
};

async function roundTrip(metadata: Record<string, GgufValueInput>) {
  const path = await temporaryFile();
  await writeGguf(path, { metadata });
  return Object.fromEntries((await readGgufHeader(path)).metadata);
}

describe('writing GGUF', () => {
  it('gives back every type of value as it was written', async () => {
    expect(await roundTrip(everyType)).toEqual(everyType);
  });

  it('gives back every type of array as it was written', async () => {
    expect(await roundTrip(everyArray)).toEqual(everyArray);
  });

  it('takes plain arrays too, and keeps an array of strings without decoding it', async () => {
    const metadata = await roundTrip({
      words: { type: 'array', elementType: 'string', value: ['', 'a', '你'] },
      numbers: { type: 'array', elementType: 'int64', value: [1, -2n] },
      flags: { type: 'array', elementType: 'bool', value: [true, false] },
    });
    const words = metadata.words?.value;
    expect(words).toBeInstanceOf(GgufStringArray);
    expect(words instanceof GgufStringArray && words.toArray()).toEqual(['', 'a', '你']);
    expect(metadata.numbers?.value).toEqual(new BigInt64Array([1n, -2n]));
    expect(metadata.flags?.value).toEqual(new Uint8Array([1, 0]));
  });

  it('copies the strings of another file byte by byte', async () => {
    const first = await roundTrip({ words: { type: 'array', elementType: 'string', value: ['x', 'é'] } });
    const words = first.words;
    const again = words?.type === 'array' ? await roundTrip({ words }) : {};
    expect(again.words?.value instanceof GgufStringArray && again.words.value.toArray()).toEqual(['x', 'é']);
  });

  it('streams the data of tensors to aligned places', async () => {
    const path = await temporaryFile();
    const pieces = async function* () {
      yield new Uint8Array(100).fill(1);
      yield new Uint8Array(28).fill(2);
    };
    await writeGguf(path, {
      metadata: { 'general.alignment': { type: 'uint32', value: 64 } },
      tensors: [
        { name: 'one', dimensions: [3], type: 'F32', data: () => new Uint8Array(12).fill(9) },
        { name: 'two', dimensions: [32, 2], type: 'F16', data: pieces },
      ],
    });
    const header = await readGgufHeader(path);
    expect(header.alignment).toBe(64);
    expect(header.dataOffset % 64).toBe(0);
    expect(header.tensors).toEqual([
      { name: 'one', dimensions: [3], type: 'F32', offset: 0, byteSize: 12 },
      { name: 'two', dimensions: [32, 2], type: 'F16', offset: 64, byteSize: 128 },
    ]);
    const bytes = await readFile(path);
    expect(bytes.length).toBe(header.dataOffset + 192);
    expect([...bytes.subarray(header.dataOffset, header.dataOffset + 13)]).toEqual([...Array(12).fill(9), 0]);
    expect([...bytes.subarray(header.dataOffset + 163, header.dataOffset + 165)]).toEqual([1, 2]);
  });

  it.each<[string, GgufValueInput]>([
    ['a number out of range', { type: 'uint8', value: 256 }],
    ['a fraction as a whole number', { type: 'int32', value: 1.5 }],
    ['a negative count', { type: 'uint64', value: -1 }],
    ['a number in an array of strings', { type: 'array', elementType: 'string', value: [1] }],
  ])('refuses %s', async (_name, value) => {
    await rejection(writeGguf(await temporaryFile(), { metadata: { key: value } }), 'INVALID_ARGUMENT');
  });

  it.each([
    ['too few bytes', filledTensor('t', [8], 'F32', 31)],
    ['too many bytes', filledTensor('t', [8], 'F32', 33)],
    ['an unknown type', filledTensor('t', [8], 'Q9', 32)],
    ['rows that are no multiple of a block', filledTensor('t', [33], 'Q8_0', 34)],
    ['five dimensions', filledTensor('t', [1, 1, 1, 1, 1], 'F32', 4)],
    ['a name of 64 bytes', filledTensor('n'.repeat(64), [1], 'F32', 4)],
  ])('refuses a tensor with %s and leaves no file', async (_name, tensor) => {
    const path = await temporaryFile();
    await rejection(writeGguf(path, { metadata: tinyMetadata, tensors: [tensor] }), 'INVALID_ARGUMENT');
    await expect(access(path)).rejects.toThrow('ENOENT');
  });
});
