import { basename } from 'node:path';
import { createError } from '../../errors.js';
import type { ServedModelOptions } from './types.js';

/** What clients call it. */
export interface SettledNames {
  readonly name: string;
  readonly aliases: readonly string[];
}

/** What clients call a model that was given no name. */
export function nameOfSource(source: string): string {
  const plain = source.startsWith('hf:') ? source.slice(3) : (source.split(/[?#]/, 1)[0] ?? source);
  return basename(plain.replaceAll('\\', '/')).replace(/\.gguf$/i, '') || source;
}

/** The names of a model, without regard to others. */
export function namesOf({
  source,
  name = nameOfSource(source),
  aliases = [],
}: ServedModelOptions): SettledNames {
  return { name, aliases: [...new Set(aliases)].filter((alias) => alias !== name) };
}

/** The names of each model, its own first. No two models may share one. */
export function settleNames(models: readonly ServedModelOptions[]): SettledNames[] {
  const taken = new Map<string, string>();
  return models.map((model) => {
    const { source } = model;
    const { name, aliases } = namesOf(model);
    for (const candidate of [name, ...aliases]) {
      const owner = taken.get(candidate);
      if (owner !== undefined) {
        const message = `Two models are called ${candidate}: ${owner} and ${source}. Give one of them another \`name\`.`;
        throw createError('INVALID_ARGUMENT', message, { details: { name: 'models' } });
      }
      taken.set(candidate, source);
    }
    return { name, aliases };
  });
}
