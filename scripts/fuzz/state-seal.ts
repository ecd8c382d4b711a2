/**
 * The checksum of saved states, as binding/sequence_state.cpp computes it: FNV-1a on words of 64 bits in four lanes. It
 * is computed again over mutated bytes, so that they get past the check that would refuse them.
 */

const checksumOffset = 32;
const headerBytes = 40;
const payloadLengthOffset = 24;
const laneCount = 4;

const prime = 0x100000001b3n;
const offsetBasis = 0xcbf29ce484222325n;
const wordMask = 0xffffffffffffffffn;

function mix(hash: bigint, word: bigint): bigint {
  const product = ((hash ^ word) * prime) & wordMask;
  return product ^ (product >> 32n);
}

function hashBytes(bytes: Buffer, seed: bigint): bigint {
  const lanes = Array.from({ length: laneCount }, (_, lane) => (seed + BigInt(lane)) & wordMask);
  const block = laneCount * 8;
  let at = 0;
  for (; at + block <= bytes.length; at += block) {
    for (let lane = 0; lane < laneCount; lane++) {
      lanes[lane] = mix(lanes[lane] ?? 0n, bytes.readBigUInt64LE(at + lane * 8));
    }
  }
  for (; at < bytes.length; at++) lanes[0] = mix(lanes[0] ?? 0n, BigInt(bytes[at] ?? 0));
  return lanes.reduce(mix, seed);
}

/** A copy of a state whose length and checksum fit its bytes. */
export function sealState(state: Uint8Array): Buffer {
  const sealed = Buffer.from(state);
  if (sealed.length < headerBytes) return sealed;
  sealed.writeBigUInt64LE(BigInt(sealed.length - headerBytes), payloadLengthOffset);
  const header = hashBytes(sealed.subarray(0, checksumOffset), offsetBasis);
  sealed.writeBigUInt64LE(hashBytes(sealed.subarray(headerBytes), header), checksumOffset);
  return sealed;
}
