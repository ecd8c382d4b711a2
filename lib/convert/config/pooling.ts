import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, unsupportedCheckpoint } from '../checkpoint/index.js';
import type { MetadataBuilder } from '../metadata-builder.js';

/** Numbers of `{arch}.pooling_type`. Source: `enum llama_pooling_type` in llama.h. */
const poolingTypes = { mean: 1, cls: 2, lasttoken: 3 } as const;

/** How an embedding model makes one vector of many, as the files of Sentence Transformers say. */
export function addPooling(metadata: MetadataBuilder, folder: string): void {
  const modules = readJson(join(folder, 'modules.json'));
  if (!Array.isArray(modules)) return;
  const path = modules.find((entry) => isJsonObject(entry) && String(entry.type).endsWith('Pooling'))?.path;
  if (typeof path !== 'string' || path.includes('..')) return;
  const pooling = readJson(join(folder, path, 'config.json'));
  if (!isJsonObject(pooling)) return;
  metadata.uint32('{arch}.pooling_type', poolingTypes[poolingOf(pooling, folder)]);
}

function poolingOf(pooling: Record<string, unknown>, folder: string): keyof typeof poolingTypes {
  if (pooling.pooling_mode_mean_tokens === true) return 'mean';
  if (pooling.pooling_mode_cls_token === true) return 'cls';
  if (pooling.pooling_mode_lasttoken === true) return 'lasttoken';
  const mode = pooling.pooling_mode;
  if (mode === 'mean' || mode === 'cls' || mode === 'lasttoken') return mode;
  throw unsupportedCheckpoint(folder, 'expected a pooling of mean, cls or lasttoken in its configuration.');
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
