import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createError } from '../errors.js';
import { inspectHost } from '../host/describe-host.js';
import { addonNotFound } from './addon-errors.js';

/** Environment variable with the path of an addon to load instead of the one that would be found. */
const overrideVariable = 'LLAMA_NATIVE_ADDON';

function resolveOverride(value: string): string {
  const path = resolve(value);
  if (existsSync(path)) return path;
  throw createError(
    'ADDON_NOT_FOUND',
    `${overrideVariable} is set to ${value}, but there is no file at ${path}. ` +
      'Correct the path, or unset the variable to use the addon of the package.',
    { details: { path } },
  );
}

interface NodeGypBuild {
  resolve(directory: string): string;
}

/** node-gyp-build is written without types. */
function isNodeGypBuild(value: unknown): value is NodeGypBuild {
  return typeof value === 'function' && 'resolve' in value && typeof value.resolve === 'function';
}

/**
 * The path of the addon for this process: the file that `LLAMA_NATIVE_ADDON` names; else one compiled on this machine
 * (`build/Release`); else the one that came with the package (`prebuilds/<platform>-<arch>`).
 *
 * @throws `ADDON_NOT_FOUND`, with what to type on this machine.
 */
export function findAddon(packageRoot: string, environment: NodeJS.ProcessEnv): string {
  const override = environment[overrideVariable];
  if (override) return resolveOverride(override);
  const nodeGypBuild: unknown = createRequire(import.meta.url)('node-gyp-build');
  if (!isNodeGypBuild(nodeGypBuild)) {
    throw createError('INTERNAL', 'The installed package node-gyp-build has no function resolve.');
  }
  try {
    return nodeGypBuild.resolve(packageRoot);
  } catch (cause) {
    const host = inspectHost();
    const prebuilt = join(packageRoot, 'prebuilds', `${host.platform}-${host.arch}`);
    throw addonNotFound([join(packageRoot, 'build', 'Release'), prebuilt], host, cause);
  }
}
