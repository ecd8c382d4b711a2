import type { CachedModel } from '../index.js';
import type { Library } from './library.js';
import type { SourceOptions } from './options.js';
import { withoutUndefined } from './options.js';

/** A cached model's name without its commit, which would take half of a line. */
function shortNameOf(model: CachedModel): string {
  return model.source.replace(/@[0-9a-f]{40}(?=:|$)/, '');
}

/** The name by which `list` shows a cached model: the short one, unless several models share it. */
export function displayNameOf(model: CachedModel, models: readonly CachedModel[]): string {
  const name = shortNameOf(model);
  return models.filter((other) => shortNameOf(other) === name).length > 1 ? model.source : name;
}

/**
 * Path of a cached model by the name that `list` shows. Without a commit the library would have to ask the hub which
 * one is meant; what is listed must work without a network.
 */
export async function findListedModel(
  library: Library,
  name: string,
  { cacheDirectory }: SourceOptions,
): Promise<string | undefined> {
  if (!name.startsWith('hf:')) {
    return undefined;
  }
  const models = await library.listCachedModels(withoutUndefined({ cacheDirectory }));
  return models.find((model) => displayNameOf(model, models) === name)?.path;
}
