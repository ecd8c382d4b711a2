import { createHash } from 'node:crypto';

// An entry of the disk tier, numbers little-endian:
//   0  magic
//   8  format version, 32 bits
//  12  number of tokens, 32 bits
//  16  fingerprint of the model, 32 bytes
//  48  length of the state in bytes, 64 bits
//  56  SHA-256 of everything before it, the tokens, and the beginning of the state
//  88  tokens, 32 bits each
//      state, which begins with a checksum of the rest of it
const magic = Buffer.from('LNPREFIX');
const version = 1;
const hashedLength = 56;

/** Length of what comes before the tokens. */
export const fixedLength = 88;

/** How much of the state is hashed with the tokens, so that no other state can stand behind them. */
export const boundStateLength = 64;

/** More tokens than any context holds: a number beyond it is damage. */
const mostTokens = 1 << 24;

/** Length of the fingerprint of a model. */
export const fingerprintLength = 32;

/** What the beginning of an entry says of the rest. */
export interface EntryLayout {
  readonly tokenCount: number;
  readonly stateLength: number;
  /** Which model it belongs to. */
  readonly fingerprint: Buffer;
}

/** A file that is none of ours, or of another version; or one that is ours and damaged. */
export type EntryDefect = 'foreign' | 'damaged';

function hashOf(fixed: Uint8Array, tokens: Uint8Array, state: Uint8Array): Buffer {
  const hash = createHash('sha256').update(fixed.subarray(0, hashedLength)).update(tokens);
  return hash.update(state.subarray(0, boundStateLength)).digest();
}

/** Everything of an entry that comes before the state. */
export function encodeEntryHead(fingerprint: Uint8Array, tokens: Int32Array, state: Uint8Array): Buffer {
  const head = Buffer.alloc(fixedLength + tokens.length * 4);
  magic.copy(head);
  head.writeUInt32LE(version, 8);
  head.writeUInt32LE(tokens.length, 12);
  head.set(fingerprint, 16);
  head.writeBigUInt64LE(BigInt(state.length), 48);
  tokens.forEach((token, index) => {
    head.writeInt32LE(token, fixedLength + index * 4);
  });
  hashOf(head, head.subarray(fixedLength), state).copy(head, hashedLength);
  return head;
}

/** Reads the first {@link fixedLength} bytes of a file. Nothing is believed that the file's length contradicts. */
export function parseEntryLayout(fixed: Buffer, fileLength: number): EntryLayout | EntryDefect {
  if (fixed.length < fixedLength || !fixed.subarray(0, magic.length).equals(magic)) return 'foreign';
  if (fixed.readUInt32LE(8) !== version) return 'foreign';
  const tokenCount = fixed.readUInt32LE(12);
  const stateLength = Number(fixed.readBigUInt64LE(48));
  const whole = fixedLength + tokenCount * 4 + stateLength === fileLength;
  if (tokenCount === 0 || tokenCount > mostTokens || !whole) return 'damaged';
  return { tokenCount, stateLength, fingerprint: fixed.subarray(16, 16 + fingerprintLength) };
}

/**
 * The tokens of an entry, or undefined if a byte of what is checked here was changed.
 * @param tokens their bytes.
 * @param state the beginning of the state, {@link boundStateLength} bytes if there are as many.
 */
export function parseEntryTokens(fixed: Buffer, tokens: Buffer, state: Buffer): Int32Array | undefined {
  if (!hashOf(fixed, tokens, state).equals(fixed.subarray(hashedLength, fixedLength))) return undefined;
  return Int32Array.from({ length: tokens.length / 4 }, (_, index) => tokens.readInt32LE(index * 4));
}

/** The name of the file for a prefix: the same for the same prefix of the same model, in every process. */
export function entryName(fingerprint: Uint8Array, tokens: Int32Array): string {
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  const hash = createHash('sha256').update(fingerprint).update(bytes).digest('hex');
  return `${hash.slice(0, 40)}${entryExtension}`;
}

/** What the names of entries end with. */
export const entryExtension = '.lnprefix';
