import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { inspectHost } from '../host/describe-host.js';
import { findPackageRoot } from '../host/package-root.js';
import { addonLoadFailed } from './addon-errors.js';
import { findAddon } from './find-addon.js';

/** The addon as the operating system loaded it: what it exports, not yet given a type, and where it came from. */
export interface LoadedAddon {
  readonly addon: unknown;
  /** Absolute path of the .node file. */
  readonly path: string;
  /** The folder of that file, where ggml's backend libraries lie too. */
  readonly directory: string;
}

let loaded: LoadedAddon | undefined;

/**
 * Finds and loads the compiled addon, once per thread; see {@link findAddon} for where it is looked for.
 *
 * @throws `ADDON_NOT_FOUND` or `ADDON_LOAD_FAILED`, both with what to type on this machine.
 */
export function loadAddon(): LoadedAddon {
  if (loaded !== undefined) return loaded;
  // When ggml aborts it would start a debugger on this process to print a backtrace.
  process.env.GGML_NO_BACKTRACE ??= '1';
  const found = findAddon(findPackageRoot(), process.env);
  try {
    // Backends are looked for beside the file itself, not beside a link to it.
    const path = realpathSync(found);
    const addon: unknown = createRequire(import.meta.url)(path);
    loaded = { addon, path, directory: dirname(path) };
    return loaded;
  } catch (cause) {
    throw addonLoadFailed(found, cause, inspectHost());
  }
}
