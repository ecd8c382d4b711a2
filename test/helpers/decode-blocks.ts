import { decodeHalf } from './half.js';

/**
 * Values of blocks of ggml and of floats, in double precision.
 * Source: the block structs of ggml/src/ggml-common.h of the pinned llama.cpp.
 */
export function decodeBlocks(type: string, bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const half = (at: number) => decodeHalf(view.getUint16(at, true));
  const blocks = (blockBytes: number, value: (start: number, index: number) => number) =>
    Float64Array.from({ length: (bytes.byteLength / blockBytes) * 32 }, (_, position) =>
      value(Math.floor(position / 32) * blockBytes, position % 32),
    );
  const nibble = (at: number, index: number) =>
    ((bytes[at + (index % 16)] as number) >> (index < 16 ? 0 : 4)) & 15;
  if (type === 'F32')
    return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
  if (type === 'F16') return Float64Array.from({ length: bytes.length / 2 }, (_, i) => half(i * 2));
  if (type === 'Q4_0') return blocks(18, (start, index) => half(start) * (nibble(start + 2, index) - 8));
  if (type === 'Q4_1') {
    return blocks(20, (start, index) => half(start) * nibble(start + 4, index) + half(start + 2));
  }
  if (type === 'Q8_0') return blocks(34, (start, index) => half(start) * view.getInt8(start + 2 + index));
  throw new Error(`no decoder for ${type}`);
}
