import type { GgufValueInput } from '../gguf/write.js';

/** Collects the keys of a GGUF file. A key that is set again keeps its place and gets the new value. */
export class MetadataBuilder {
  readonly entries = new Map<string, GgufValueInput>();
  /** What `{arch}` in a key stands for. */
  readonly #architecture: string;

  constructor(architecture: string) {
    this.#architecture = architecture;
    this.string('general.architecture', architecture);
  }

  string(key: string, value: string | undefined): void {
    if (value !== undefined) this.#set(key, { type: 'string', value });
  }

  bool(key: string, value: boolean | undefined): void {
    if (value !== undefined) this.#set(key, { type: 'bool', value });
  }

  uint32(key: string, value: number | undefined): void {
    if (value !== undefined) this.#set(key, { type: 'uint32', value });
  }

  int32(key: string, value: number | undefined): void {
    if (value !== undefined) this.#set(key, { type: 'int32', value });
  }

  float32(key: string, value: number | undefined): void {
    if (value !== undefined) this.#set(key, { type: 'float32', value });
  }

  strings(key: string, value: readonly string[]): void {
    if (value.length > 0) this.#set(key, { type: 'array', elementType: 'string', value });
  }

  int32s(key: string, value: Int32Array): void {
    if (value.length > 0) this.#set(key, { type: 'array', elementType: 'int32', value });
  }

  float32s(key: string, value: Float32Array): void {
    if (value.length > 0) this.#set(key, { type: 'array', elementType: 'float32', value });
  }

  #set(key: string, value: GgufValueInput): void {
    this.entries.set(key.replace('{arch}', this.#architecture), value);
  }
}
