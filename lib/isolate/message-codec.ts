import { DefaultDeserializer, DefaultSerializer } from 'node:v8';

/**
 * A message on the wire: a header, the message in V8's own serialization, and the bytes of its large arrays as they are.
 *
 *     4 bytes  the word "LNE1"
 *     4 bytes  length of the serialized message
 *     4 bytes  number of attachments, then 6 bytes for the length of each
 *     ...      the serialized message, then the attachments
 *
 * V8's serialization keeps what JSON loses: infinities, undefined, typed arrays.
 */
export const magicWord = 0x31454e4c;
export const headerLength = 12;
export const attachmentHeaderLength = 6;

/** Arrays from this length on are attached, so that their bytes are not copied into the message. */
const attachedLength = 64 * 1024;

/** The order is part of the format. */
const arrayTypes = [
  Uint8Array,
  Int32Array,
  Float32Array,
  Uint32Array,
  Float64Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  BigInt64Array,
  BigUint64Array,
] as const;

type SentArray = InstanceType<(typeof arrayTypes)[number]>;

function typeIndex(array: ArrayBufferView): number {
  const index = arrayTypes.findIndex((type) => array instanceof type);
  if (index === -1) throw new TypeError('Arrays of this type do not cross to another process.');
  return index;
}

class MessageSerializer extends DefaultSerializer {
  readonly attachments: SentArray[] = [];

  /** Called for typed arrays, which Node.js does not leave to V8. */
  _writeHostObject(array: SentArray): void {
    const attached = array.byteLength >= attachedLength;
    this.writeUint32(typeIndex(array));
    this.writeUint32(attached ? 1 : 0);
    if (attached) {
      this.attachments.push(array);
      return;
    }
    this.writeUint32(array.byteLength);
    this.writeRawBytes(array);
  }
}

class MessageDeserializer extends DefaultDeserializer {
  readonly #attachments: readonly Uint8Array<ArrayBuffer>[];
  #next = 0;

  constructor(message: Uint8Array, attachments: readonly Uint8Array<ArrayBuffer>[]) {
    super(message);
    this.#attachments = attachments;
  }

  _readHostObject(): SentArray {
    const type = arrayTypes[this.readUint32()];
    if (type === undefined) throw new TypeError('An array of an unknown type.');
    const attached = this.readUint32() === 1;
    // A copy: what is read points into the message, at any offset.
    const bytes = attached
      ? this.#attachments[this.#next++]
      : new Uint8Array(this.readRawBytes(this.readUint32()));
    if (bytes === undefined) throw new TypeError('An attachment is missing.');
    return new type(bytes.buffer, bytes.byteOffset, bytes.byteLength / type.BYTES_PER_ELEMENT);
  }
}

function bytesOf(array: SentArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The pieces of a message in the order in which they are written. Attached arrays are not copied. */
export function encodeMessage(message: unknown): Uint8Array[] {
  const serializer = new MessageSerializer();
  serializer.writeHeader();
  serializer.writeValue(message);
  const body = serializer.releaseBuffer();
  const { attachments } = serializer;
  const header = Buffer.allocUnsafe(headerLength + attachments.length * attachmentHeaderLength);
  header.writeUInt32LE(magicWord, 0);
  header.writeUInt32LE(body.length, 4);
  header.writeUInt32LE(attachments.length, 8);
  for (const [index, { byteLength }] of attachments.entries()) {
    header.writeUIntLE(byteLength, headerLength + index * attachmentHeaderLength, attachmentHeaderLength);
  }
  return [header, body, ...attachments.map(bytesOf)];
}

/**
 * The message that was encoded.
 * @throws Error of any kind for bytes that are none.
 */
export function decodeMessage(message: Uint8Array, attachments: readonly Uint8Array<ArrayBuffer>[]): unknown {
  const deserializer = new MessageDeserializer(message, attachments);
  deserializer.readHeader();
  return deserializer.readValue();
}

/** A message in one piece, for a channel that keeps messages apart by itself. */
export function packMessage(message: unknown): Uint8Array {
  return Buffer.concat(encodeMessage(message));
}

/**
 * The message that was packed.
 * @throws Error of any kind for a value that is none.
 */
export function decodePacked(packed: unknown): unknown {
  if (!(packed instanceof Uint8Array)) throw new TypeError('What arrived is no message.');
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  if (bytes.readUInt32LE(0) !== magicWord) throw new RangeError('What arrived is no message.');
  const bodyLength = bytes.readUInt32LE(4);
  const attachmentCount = bytes.readUInt32LE(8);
  const lengths = Array.from({ length: attachmentCount }, (_, index) =>
    bytes.readUIntLE(headerLength + index * attachmentHeaderLength, attachmentHeaderLength),
  );
  let offset = headerLength + attachmentCount * attachmentHeaderLength;
  const take = (length: number) => {
    if (offset + length > bytes.length) throw new RangeError('What arrived is no message.');
    offset += length;
    return new Uint8Array(bytes.subarray(offset - length, offset)); // a copy: aligned, and of its own
  };
  const body = take(bodyLength);
  return decodeMessage(body, lengths.map(take));
}
