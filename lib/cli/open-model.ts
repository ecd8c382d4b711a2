import type { ModelWarning } from '../index.js';
import { type CommandContext, writeNote, writeWarning } from './context.js';
import type { LoadedModel } from './library.js';
import { findListedModel } from './model-names.js';
import { type ModelOptions, type SourceOptions, toLoadOptions, withoutUndefined } from './options.js';
import { createProgressDisplay } from './terminal/progress-display.js';

/** Loads the model that was named, or the default one, showing how far that is. */
export async function openModel(
  context: CommandContext,
  source: string | undefined,
  options: ModelOptions,
): Promise<LoadedModel> {
  const loadOptions = await toLoadOptions(options);
  const library = await context.loadLibrary();
  const path =
    source === undefined
      ? await resolveModelPath(context, undefined, options)
      : ((await findListedModel(library, source, options)) ?? source);
  const progress = await createProgressDisplay(context.notes);
  try {
    const { signal } = context.interrupts;
    return await library.loadModel(path, { ...loadOptions, onProgress: progress.update, signal });
  } finally {
    progress.finish();
  }
}

/** Downloads what is not there yet, and says which model it is when none was named. */
export async function resolveModelPath(
  context: CommandContext,
  source: string | undefined,
  options: SourceOptions & { update?: boolean; connections?: number },
): Promise<string> {
  const library = await context.loadLibrary();
  const progress = await createProgressDisplay(context.notes);
  const { cacheDirectory, endpoint, token, update, connections } = options;
  const resolveOptions = {
    ...withoutUndefined({ cacheDirectory, endpoint, token, update, connections }),
    onProgress: progress.update,
    onWarning: ({ message }: ModelWarning) => writeWarning(context, message),
    signal: context.interrupts.signal,
  };
  try {
    if (source !== undefined) {
      const listed = update === true ? undefined : await findListedModel(library, source, options);
      return listed ?? (await library.resolveModel(source, resolveOptions));
    }
    writeNote(context, `No model was named: using the default, ${library.defaultModel.file}.`);
    return await library.resolveDefaultModel(resolveOptions);
  } finally {
    progress.finish();
  }
}
