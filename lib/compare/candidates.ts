import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createError } from '../errors.js';
import { readGgufMetadata } from '../gguf/index.js';
import type { QuantizationTypeName } from '../quantize/quantization-types.js';
import { quantize } from '../quantize/quantize.js';
import type { CompareOptions } from './types.js';

/** A file to measure. */
export interface Candidate {
  readonly name: string;
  readonly path: string;
  readonly isReference: boolean;
  readonly sizeBytes: number;
  readonly bitsPerWeight: number | undefined;
}

/** `model-f16.gguf` without what it says of its type and its ending. */
function stemOf(path: string): string {
  return basename(path)
    .replace(/(-00001-of-\d{5})?\.gguf$/i, '')
    .replace(/[-._](b?f16|f32|i?q\d\w*|tq\d_0|mxfp4\w*)$/i, '');
}

/** Finds the files to compare and makes those that are missing, in `directory`. The reference comes first. */
export async function findCandidates(
  modelPath: string,
  types: readonly QuantizationTypeName[],
  directory: string,
  options: CompareOptions,
): Promise<Candidate[]> {
  const paths = [modelPath, ...(options.files ?? [])];
  for (const type of types) paths.push(await makeQuantization(modelPath, type, directory, options));
  const candidates: Candidate[] = [];
  for (const [index, path] of paths.entries()) {
    const { fileType, bitsPerWeight, splitCount } = await readGgufMetadata(path);
    if (splitCount > 1) {
      const message = `Expected models in one file; ${path} is one of ${splitCount}. Join them with quantize and the type COPY.`;
      throw createError('INVALID_ARGUMENT', message);
    }
    const { size: sizeBytes } = await stat(path);
    const name = fileType ?? basename(path, '.gguf');
    candidates.push({ name, path, isReference: index === 0, sizeBytes, bitsPerWeight });
  }
  return withUniqueNames(candidates);
}

async function makeQuantization(
  modelPath: string,
  type: QuantizationTypeName,
  directory: string,
  { imatrix, allowRequantize, signal, onProgress }: CompareOptions,
): Promise<string> {
  const path = join(directory, `${stemOf(modelPath)}-${type}.gguf`);
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isFile()) return path;
  await quantize(modelPath, path, {
    type,
    isolate: true,
    ...(imatrix === undefined ? {} : { imatrix }),
    ...(allowRequantize === undefined ? {} : { allowRequantize }),
    ...(signal === undefined ? {} : { signal }),
    onProgress: (progress) => onProgress?.({ stage: 'quantize', file: type, progress }),
  });
  return path;
}

/** Types are the shortest names; where two files have the same, their own names tell them apart. */
function withUniqueNames(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return candidates.map((candidate) => {
    const isTaken = candidates.filter(({ name }) => name === candidate.name).length > 1;
    const wanted = isTaken ? basename(candidate.path, '.gguf') : candidate.name;
    let name = wanted;
    for (let number = 2; seen.has(name); number++) name = `${wanted} (${number})`;
    seen.add(name);
    return { ...candidate, name };
  });
}
