/** What a buffer is used for. */
export type BufferRole = 'read' | 'move' | 'convert';

/**
 * Buffers for the pieces of tensors, used again and again: garbage of megabytes would cost more time than conversions
 * do.
 */
export class PieceMemory {
  readonly #buffers = new Map<string, Buffer>();

  /** A buffer for the piece of a slot; what was in it before is lost. */
  take(slot: number, role: BufferRole, length: number): Buffer {
    const key = `${slot} ${role}`;
    let buffer = this.#buffers.get(key);
    if (buffer === undefined || buffer.byteLength < length) {
      buffer = Buffer.allocUnsafeSlow(length);
      this.#buffers.set(key, buffer);
    }
    return buffer.subarray(0, length);
  }
}
