// Random weights that are quantized from the start: blocks of random codes with one scale each. Making full-precision
// weights and quantizing them would take minutes, and the result would be as random.
import { createCipheriv, createHash } from 'node:crypto';

/** Elements that share a scale, in Q4_0 and Q8_0 alike (`QK4_0`, `QK8_0` in ggml-common.h). */
const blockElements = 32;

/**
 * By type: bytes of a block (a half-precision scale, then the codes) and the standard deviation of its codes.
 * Q4_0 codes are uniform in −8…7 and Q8_0 codes in −128…127.
 */
const blockTypes = {
  Q4_0: { bytes: 18, deviation: Math.sqrt((16 ** 2 - 1) / 12) },
  Q8_0: { bytes: 34, deviation: Math.sqrt((256 ** 2 - 1) / 12) },
};

/** Most bytes handed out at once. */
const pieceBytes = 4 * 1024 * 1024;

const floatScratch = new Float32Array(1);
const bitScratch = new Uint32Array(floatScratch.buffer);

/** The bits of a number in half precision; right for normal numbers, which is what scales are. */
export function halfPrecisionBits(value) {
  floatScratch[0] = value;
  const [bits] = bitScratch;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent <= 0 || exponent >= 31)
    throw new RangeError(`${value} is not a normal number in half precision`);
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

/** Random bytes that depend on nothing but the seed: a cipher's key stream, at some gigabytes per second. */
export function createRandomBytes(seed) {
  const digest = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-128-ctr', digest.subarray(0, 16), digest.subarray(16, 32));
  return (length) => cipher.update(Buffer.alloc(length));
}

/**
 * The data of a quantized tensor with random weights, piece by piece.
 *
 * @param {{ type: 'Q4_0' | 'Q8_0', elements: number, deviation: number, seed: string }} tensor `deviation`: the
 *   standard deviation of its weights.
 */
export function* quantizedNoise({ type, elements, deviation, seed }) {
  const block = blockTypes[type];
  const random = createRandomBytes(seed);
  const scale = halfPrecisionBits(deviation / block.deviation);
  let remaining = (elements / blockElements) * block.bytes;
  const largest = Math.floor(pieceBytes / block.bytes) * block.bytes;
  while (remaining > 0) {
    const piece = random(Math.min(remaining, largest));
    for (let offset = 0; offset < piece.length; offset += block.bytes) {
      // The codes lean to the negative by half a step, so the scale's sign is drawn as well.
      piece.writeUInt16LE(scale | ((piece[offset] & 1) << 15), offset);
    }
    remaining -= piece.length;
    yield piece;
  }
}

/** The data of a full-precision tensor whose elements are all the same, as norms begin in training. */
export function constantData(elements, value) {
  return Buffer.from(new Float32Array(elements).fill(value).buffer);
}

/** The data of a full-precision tensor with elements uniform around zero. */
export function uniformData(elements, deviation, seed) {
  const bytes = createRandomBytes(seed)(elements * 4);
  const width = deviation * Math.sqrt(12);
  const values = Float32Array.from(
    { length: elements },
    (_, index) => (bytes.readUInt32LE(4 * index) / 2 ** 32 - 0.5) * width,
  );
  return Buffer.from(values.buffer);
}
