import { arrayEntry, floatValue, stringValue, uint32Value } from './header-values.js';
import { invalidModel } from './invalid-model.js';
import type { GgufHeader } from './types.js';

/** The keys of a model's architecture, read as llama.cpp reads them. */
export class Hyperparameters {
  readonly header: GgufHeader;
  readonly architecture: string;

  constructor(header: GgufHeader, architecture: string) {
    this.header = header;
    this.architecture = architecture;
  }

  /** Whether the key is there at all. */
  has(name: string): boolean {
    return this.header.metadata.has(this.#key(name));
  }

  /** A number of type uint32. */
  count(name: string): number | undefined {
    return uint32Value(this.header, this.#key(name));
  }

  text(name: string): string | undefined {
    return stringValue(this.header, this.#key(name));
  }

  float(name: string): number | undefined {
    return floatValue(this.header, this.#key(name));
  }

  /** A count that may be given once or for each layer; empty where it is neither. llama.cpp reads int32 as uint32. */
  perLayer(name: string): number[] {
    const array = arrayEntry(this.header, this.#key(name));
    if (array === undefined) {
      const count = this.count(name);
      return count === undefined ? [] : [count];
    }
    switch (array.elementType) {
      case 'int32':
      case 'uint32':
        return Array.from(array.value, (value) => value >>> 0);
      case 'bool':
        return Array.from(array.value, (value) => (value === 0 ? 0 : 1));
      default:
        return [];
    }
  }

  /** The error for a key with a value that llama.cpp would not survive. */
  refuse(name: string, value: unknown, wanted: string): Error {
    const key = this.#key(name);
    return invalidModel(
      this.header.path,
      `${key} is ${value ?? 'missing'}; expected ${wanted}. The file is damaged, or made for another version of ` +
        'llama.cpp.',
      { key, value },
    );
  }

  #key(name: string): string {
    return `${this.architecture}.${name}`;
  }
}
