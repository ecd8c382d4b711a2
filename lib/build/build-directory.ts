import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildVariant } from './build-addon.js';

const checkoutDirectories: Record<BuildVariant, string> = {
  local: 'build',
  portable: 'build-portable',
  cuda: 'build-cuda',
};

/**
 * Where a variant is compiled. In a git checkout each variant has a directory of its own, so that switching between
 * them compiles nothing twice. In an installed package all use `build`: the addon is loaded from there first, and
 * whoever compiles a variant there wants to use it.
 */
export function buildDirectory(packageRoot: string, variant: BuildVariant, isDebug: boolean): string {
  const isCheckout = existsSync(join(packageRoot, '.git'));
  const name = isCheckout ? checkoutDirectories[variant] : 'build';
  return join(packageRoot, isDebug ? `${name}-debug` : name);
}

/** What CMake remembers of the directory, by name; undefined when nothing was configured there. */
function readCMakeCache(directory: string): Map<string, string> | undefined {
  const path = join(directory, 'CMakeCache.txt');
  if (!existsSync(path)) return undefined;
  const entries = new Map<string, string>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const match = /^([A-Za-z0-9_]+):[A-Z]+=(.*)$/.exec(line.trim());
    if (match?.[1] !== undefined && match[2] !== undefined) entries.set(match[1], match[2]);
  }
  return entries;
}

/** What decides whether earlier results in a directory can be continued. */
export interface BuildIdentity {
  readonly packageRoot: string;
  readonly generator: string | undefined;
  readonly variant: BuildVariant;
  /** The CUDA compiler; undefined where the variant needs none. */
  readonly cudaCompiler?: string | undefined;
}

function fits(cache: ReadonlyMap<string, string>, identity: BuildIdentity): boolean {
  const isPortable = cache.get('LLAMA_NATIVE_PORTABLE') === 'ON';
  const isCuda = cache.get('LLAMA_NATIVE_CUDA') === 'ON';
  const variant = isCuda ? 'cuda' : isPortable ? 'portable' : 'local';
  const generator = cache.get('CMAKE_GENERATOR');
  const { cudaCompiler } = identity;
  return (
    cache.get('CMAKE_HOME_DIRECTORY') === identity.packageRoot.replaceAll('\\', '/') &&
    (identity.generator === undefined || generator === identity.generator) &&
    variant === identity.variant &&
    (cudaCompiler === undefined || cache.get('CMAKE_CUDA_COMPILER') === cudaCompiler.replaceAll('\\', '/'))
  );
}

/**
 * Empties a directory whose earlier results cannot be continued, because the package was moved, another variant was
 * compiled there, or another generator or CUDA compiler is used now. CMake itself would stop, or mix them.
 */
export function prepareBuildDirectory(directory: string, identity: BuildIdentity): void {
  const cache = readCMakeCache(directory);
  if (cache !== undefined && !fits(cache, identity)) rmSync(directory, { recursive: true, force: true });
}
