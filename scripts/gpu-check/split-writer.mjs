// Cutting a stream into files of limited size.
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

/** Writes what it is given into `<path>.00`, `<path>.01` and so on, none larger than `limit` bytes. */
export class SplitWriter {
  /** @type {string[]} */
  paths = [];
  totalBytes = 0;
  #path;
  #limit;
  #file;
  #room = 0;
  #hash = createHash('sha256');

  constructor(path, limit) {
    this.#path = path;
    this.#limit = limit;
  }

  /** @param {Uint8Array} bytes */
  write(bytes) {
    this.#hash.update(bytes);
    this.totalBytes += bytes.length;
    for (let rest = bytes; rest.length > 0; ) {
      if (this.#room === 0) this.#begin();
      const written = writeSync(this.#file, rest.subarray(0, this.#room));
      this.#room -= written;
      rest = rest.subarray(written);
    }
  }

  #begin() {
    if (this.#file !== undefined) closeSync(this.#file);
    const path = `${this.#path}.${String(this.paths.length).padStart(2, '0')}`;
    this.#file = openSync(path, 'w');
    this.#room = this.#limit;
    this.paths.push(path);
  }

  /** Closes the last file and returns the SHA-256 of everything, in hexadecimal. */
  close() {
    if (this.#file !== undefined) closeSync(this.#file);
    return this.#hash.digest('hex');
  }
}
