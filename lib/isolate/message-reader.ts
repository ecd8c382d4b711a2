import { attachmentHeaderLength, decodeMessage, headerLength, magicWord } from './message-codec.js';

/** No message of ours is larger; a header that says more is garbage. Attachments hold the large arrays. */
const longestMessage = 1 << 30;
const mostAttachments = 4096;
const longestAttachment = 2 ** 40;

/** A length is only believed, and memory taken for it at once, up to here; beyond, memory grows with what arrives. */
const trustedLength = 1 << 24;

/** Bytes of a known number that arrive in pieces. */
class Parcel {
  readonly #length: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #filled = 0;

  constructor(length: number) {
    this.#length = length;
    this.#bytes = new Uint8Array(Math.min(length, trustedLength));
  }

  get complete(): boolean {
    return this.#filled === this.#length;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** Takes what it still needs from a chunk; returns how much that was. */
  take(chunk: Uint8Array): number {
    const count = Math.min(chunk.length, this.#length - this.#filled);
    const needed = this.#filled + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(needed, this.#bytes.length * 2)));
      grown.set(this.#bytes.subarray(0, this.#filled));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk.subarray(0, count), this.#filled);
    this.#filled = needed;
    return count;
  }
}

/**
 * Puts messages together from the pieces in which a pipe delivers them.
 * `push` throws for bytes that are no message; nothing can be read after that.
 */
export class MessageReader {
  readonly #onMessage: (message: unknown) => void;
  #header = new Parcel(headerLength);
  #lengths: Parcel | undefined;
  #body: Parcel | undefined;
  #attachments: Parcel[] = [];

  constructor(onMessage: (message: unknown) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = rest.subarray(this.#current().take(rest));
      this.#advance();
    }
  }

  #current(): Parcel {
    if (!this.#header.complete) return this.#header;
    if (this.#lengths !== undefined && !this.#lengths.complete) return this.#lengths;
    if (this.#body !== undefined && !this.#body.complete) return this.#body;
    return this.#attachments.find(({ complete }) => !complete) ?? this.#header;
  }

  /** Begins what comes next, and delivers the message once all of it is there. */
  #advance(): void {
    if (!this.#header.complete) return;
    if (this.#body === undefined) this.#readHeader();
    if (this.#lengths?.complete && this.#attachments.length === 0) this.#readLengths(this.#lengths.bytes);
    if (!this.#lengths?.complete || !this.#body?.complete) return;
    if (this.#attachments.some(({ complete }) => !complete)) return;
    const { bytes } = this.#body;
    const attachments = this.#attachments.map((attachment) => attachment.bytes);
    this.#header = new Parcel(headerLength);
    this.#lengths = undefined;
    this.#body = undefined;
    this.#attachments = [];
    this.#onMessage(decodeMessage(bytes, attachments));
  }

  #readHeader(): void {
    const header = Buffer.from(this.#header.bytes.buffer);
    const bodyLength = header.readUInt32LE(4);
    const attachmentCount = header.readUInt32LE(8);
    const isMessage = header.readUInt32LE(0) === magicWord;
    if (!isMessage || bodyLength === 0 || bodyLength > longestMessage || attachmentCount > mostAttachments)
      throw new RangeError('What arrived is no message.');
    this.#lengths = new Parcel(attachmentCount * attachmentHeaderLength);
    this.#body = new Parcel(bodyLength);
  }

  #readLengths(bytes: Uint8Array<ArrayBuffer>): void {
    const lengths = Buffer.from(bytes.buffer);
    for (let offset = 0; offset < lengths.length; offset += attachmentHeaderLength) {
      const length = lengths.readUIntLE(offset, attachmentHeaderLength);
      if (length > longestAttachment) throw new RangeError('What arrived is no message.');
      this.#attachments.push(new Parcel(length));
    }
  }
}
