import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeValue } from '../../arguments.js';
import { invalidCheckpoint, unsupportedCheckpoint } from './errors.js';
import { isJsonObject, readJsonFile } from './json-file.js';

/** The files that hold the tensors of a checkpoint. */
export interface Shards {
  readonly paths: readonly string[];
  /** File by tensor, where an index says so. */
  readonly fileOf: ReadonlyMap<string, string> | undefined;
}

const indexName = 'model.safetensors.index.json';

/**
 * Finds the safetensors files of a folder: those that the index names, or else all whose names start with `model`.
 * @throws ConversionError CHECKPOINT_INVALID for a missing one, CHECKPOINT_UNSUPPORTED for weights of another format.
 */
export async function findShards(folder: string): Promise<Shards> {
  const names = await readdir(folder);
  const fileOf = names.includes(indexName) ? await readIndex(join(folder, indexName)) : undefined;
  const parts = fileOf === undefined ? lonelyParts(folder, names) : [...new Set(fileOf.values())].sort();
  for (const part of parts) {
    if (names.includes(part)) continue;
    throw invalidCheckpoint(folder, `the file ${part} is missing, one of ${parts.length}. Download it too.`, {
      missing: part,
    });
  }
  return { paths: parts.map((part) => join(folder, part)), fileOf };
}

function lonelyParts(folder: string, names: readonly string[]): readonly string[] {
  const parts = names.filter((name) => name.startsWith('model') && name.endsWith('.safetensors')).sort();
  if (parts.length === 0) throw withoutWeights(folder, names);
  const counted = parts.map((name) => /^(.*)-(\d{5})-of-(\d{5})\.safetensors$/.exec(name));
  const [, prefix, , count] = counted.find((match) => match !== null) ?? [];
  if (count === undefined) return parts;
  // Without an index the names still say how many there are.
  return Array.from(
    { length: Math.min(Number(count), 10_000) },
    (_, index) => `${prefix}-${String(index + 1).padStart(5, '0')}-of-${count}.safetensors`,
  );
}

function withoutWeights(folder: string, names: readonly string[]): Error {
  if (names.some((name) => /\.(bin|pt|pth)$/.test(name))) {
    return unsupportedCheckpoint(
      folder,
      "its weights are in PyTorch's own format, which runs code while it is read. Take or make the safetensors files " +
        'of the same model.',
    );
  }
  return invalidCheckpoint(
    folder,
    'expected a file model.safetensors, or several with an index; found none.',
  );
}

async function readIndex(path: string): Promise<Map<string, string>> {
  const weightMap = (await readJsonFile(path))?.weight_map;
  if (!isJsonObject(weightMap))
    throw invalidCheckpoint(path, 'expected a weight_map. Download the file again.');
  const fileOf = new Map<string, string>();
  for (const [tensor, file] of Object.entries(weightMap)) {
    // A name must not lead out of the folder.
    if (typeof file !== 'string' || !/^[^/\\:\0]+\.safetensors$/.test(file)) {
      throw invalidCheckpoint(
        path,
        `expected the name of a safetensors file for '${tensor}', received ${describeValue(file)}.`,
        { tensor },
      );
    }
    fileOf.set(tensor, file);
  }
  return fileOf;
}
