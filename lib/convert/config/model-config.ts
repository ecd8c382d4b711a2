import { invalidCheckpoint, isJsonObject, type JsonObject } from '../checkpoint/index.js';

/** Reads single values of config.json, and says which one is wrong. */
export class ModelConfig {
  /** Folder of the checkpoint, for messages. */
  readonly folder: string;
  readonly values: JsonObject;

  constructor(folder: string, values: JsonObject) {
    this.folder = folder;
    this.values = values;
  }

  /** The first of these keys that is there and not null; undefined if there is none. */
  find(...keys: readonly string[]): unknown {
    for (const key of keys) {
      const value = this.values[key];
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  }

  /** A number, if it is there. */
  number(...keys: readonly string[]): number | undefined {
    const value = this.find(...keys);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw this.invalid(keys, 'a number', value);
  }

  /** A count below 2³², if it is there. */
  count(...keys: readonly string[]): number | undefined {
    const value = this.find(...keys);
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32) {
      return value as number;
    }
    throw this.invalid(keys, 'a whole number from 0', value);
  }

  /** A count that must be there and not 0. */
  requireCount(...keys: readonly string[]): number {
    const value = this.count(...keys);
    if (value !== undefined && value > 0) return value;
    throw this.invalid(keys, 'a whole number from 1', value);
  }

  /** A number that must be there. */
  requireNumber(...keys: readonly string[]): number {
    const value = this.number(...keys);
    if (value !== undefined) return value;
    throw this.invalid(keys, 'a number', value);
  }

  /** A text, if it is there. */
  text(...keys: readonly string[]): string | undefined {
    const value = this.find(...keys);
    if (value === undefined || typeof value === 'string') return value;
    throw this.invalid(keys, 'a text', value);
  }

  /** An object, if it is there. */
  object(...keys: readonly string[]): ModelConfig | undefined {
    const value = this.find(...keys);
    if (value === undefined) return undefined;
    if (isJsonObject(value)) return new ModelConfig(this.folder, value);
    throw this.invalid(keys, 'an object', value);
  }

  /** A list of numbers, if it is there. */
  numbers(...keys: readonly string[]): readonly number[] | undefined {
    const value = this.find(...keys);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((element) => typeof element === 'number')) return value;
    throw this.invalid(keys, 'a list of numbers', value);
  }

  /** The error for a value that is not what it should be. */
  invalid(keys: readonly string[], expected: string, received: unknown): Error {
    const shown = received === undefined ? 'nothing' : describe(received);
    return invalidCheckpoint(
      this.folder,
      `expected ${expected} as ${keys.join(' or ')} in config.json, received ${shown}.`,
      { keys },
    );
  }
}

function describe(value: unknown): string {
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  return JSON.stringify(value).slice(0, 80);
}
