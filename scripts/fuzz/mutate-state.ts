import { interestingFloats, interestingIntegers } from '../../test/helpers/gguf-interesting-values.js';
import type { Random } from '../../test/helpers/gguf-random.js';

/** Before it lie magic, fingerprint, positions, length and checksum of our own; see binding/sequence_state.cpp. */
const payloadOffset = 40;
const positionsOffset = 16;

/** Numbers as llama.cpp writes them: counts, positions, types and sizes, all small. */
function smallWords(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = payloadOffset; at + 4 <= bytes.length; at += 4)
    if (bytes.readUInt32LE(at) < 70_000) found.push(at);
  return found;
}

function editWord(bytes: Buffer, random: Random): Buffer {
  const words = smallWords(bytes);
  // Most of what describes the rest comes first.
  const at =
    words[random.next() < 0.6 ? random.below(Math.min(40, words.length)) : random.below(words.length)];
  if (at === undefined) return bytes;
  const value = bytes.readUInt32LE(at);
  const near = [value + 1, value - 1, value * 2, value >>> 1, random.below(300)];
  const far = Number(BigInt.asUintN(32, random.pick(interestingIntegers)));
  bytes.writeUInt32LE((random.next() < 0.6 ? random.pick(near) : far) >>> 0, at);
  return bytes;
}

function flipBits(bytes: Buffer, random: Random): Buffer {
  const at =
    random.next() < 0.1
      ? random.below(bytes.length)
      : payloadOffset + random.below(bytes.length - payloadOffset);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
}

function editPositions(bytes: Buffer, random: Random): Buffer {
  bytes.writeBigUInt64LE(BigInt.asUintN(64, random.pick(interestingIntegers)), positionsOffset);
  return bytes;
}

function writeFloat(bytes: Buffer, random: Random): Buffer {
  const at = payloadOffset + 4 * random.below(Math.floor((bytes.length - payloadOffset) / 4));
  if (at + 4 <= bytes.length) bytes.writeFloatLE(random.pick(interestingFloats), at);
  return bytes;
}

function cut(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, random.below(bytes.length + 1));
}

function append(bytes: Buffer, random: Random): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(random.pick([1, 4, 8, 100, 5000]), random.below(256))]);
}

function removePart(bytes: Buffer, random: Random): Buffer {
  const from = payloadOffset + random.below(Math.max(1, bytes.length - payloadOffset));
  return Buffer.concat([
    bytes.subarray(0, from),
    bytes.subarray(from + random.pick([1, 4, 8, 12, 64, 1000])),
  ]);
}

function repeatPart(bytes: Buffer, random: Random): Buffer {
  const from = payloadOffset + random.below(Math.max(1, bytes.length - payloadOffset));
  const part = bytes.subarray(from, from + random.pick([4, 8, 12, 64, 1000]));
  return Buffer.concat([bytes.subarray(0, from), part, bytes.subarray(from)]);
}

const mutations = [
  editWord,
  editWord,
  editWord,
  editWord,
  editWord,
  flipBits,
  flipBits,
  editPositions,
  writeFloat,
  cut,
  append,
  removePart,
  repeatPart,
];

/** A copy of a state with one to three things changed. */
export function mutateState(state: Uint8Array, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(state);
  for (let times = 1 + random.below(3); times > 0 && bytes.length > payloadOffset + 8; times--) {
    bytes = random.pick(mutations)(bytes, random);
  }
  return bytes;
}
