import { basename } from 'node:path';
import { createError } from '../../errors.js';
import type { ServedModelOptions } from './types.js';

/** What clients call a model that was given no name. */
export function nameOfSource(source: string): string {
  const plain = source.startsWith('hf:') ? source.slice(3) : (source.split(/[?#]/, 1)[0] ?? source);
  return basename(plain.replaceAll('\\', '/')).replace(/\.gguf$/i, '') || source;
}

/** The names of each model, its own first. No two models may share one. */
export function settleNames(models: readonly ServedModelOptions[]): { name: string; aliases: string[] }[] {
  const taken = new Map<string, string>();
  return models.map(({ source, name = nameOfSource(source), aliases = [] }) => {
    for (const candidate of [name, ...aliases]) {
      const owner = taken.get(candidate);
      if (owner !== undefined) {
        const message = `Two models are called ${candidate}: ${owner} and ${source}. Give one of them another \`name\`.`;
        throw createError('INVALID_ARGUMENT', message, { details: { name: 'models' } });
      }
      taken.set(candidate, source);
    }
    return { name, aliases: [...aliases] };
  });
}
