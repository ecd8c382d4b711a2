/** What a buffer is used for. */
export type BufferRole = 'read' | 'move' | 'convert';

/** How many pieces are worked on at a time: one is written while the next is made. */
const slotCount = 2;

/**
 * Buffers for the pieces of tensors, used again and again: garbage of megabytes would cost more time than conversions
 * do. A piece keeps its buffers until the one after the next is begun.
 */
export class PieceMemory {
  readonly #buffers = new Map<string, Buffer>();

  /** A buffer for a piece; what was in it before is lost. */
  take(pieceNumber: number, role: BufferRole, length: number): Buffer {
    const key = `${pieceNumber % slotCount} ${role}`;
    let buffer = this.#buffers.get(key);
    if (buffer === undefined || buffer.byteLength < length) {
      buffer = Buffer.allocUnsafeSlow(length);
      this.#buffers.set(key, buffer);
    }
    return buffer.subarray(0, length);
  }
}
