import { readFile, stat } from 'node:fs/promises';
import { formatBytes } from '../../files/format-bytes.js';
import { invalidCheckpoint } from './errors.js';

/** An object as JSON has it; what its values are has to be looked at. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Tokenizers of 260 000 tokens are 35 MB. */
const largestFile = 256 << 20;

/** Whether a value of JSON is an object, and no array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads a JSON file whose content is an object; undefined if there is no such file.
 * @throws ConversionError CHECKPOINT_INVALID if it is too large, no JSON, or something else than an object.
 */
export async function readJsonFile(path: string): Promise<JsonObject | undefined> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) return undefined;
  if (!status.isFile()) throw invalidCheckpoint(path, 'expected a file, found something else.');
  if (status.size > largestFile) {
    throw invalidCheckpoint(
      path,
      `expected at most ${formatBytes(largestFile)} of JSON, received ${formatBytes(status.size)}.`,
    );
  }
  const value = parseJson(path, (await readFile(path)).toString('utf8'));
  if (!isJsonObject(value)) throw invalidCheckpoint(path, 'expected a JSON object. Download the file again.');
  return value;
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidCheckpoint(path, `it is not JSON (${reason}). Download the file again.`, {}, error);
  }
}
