import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createError } from '../errors.js';

/** The name in package.json, by which the root is recognised. */
export const packageName = 'llama-native';

function nameOfPackageAt(directory: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    return typeof parsed === 'object' && parsed !== null && 'name' in parsed
      ? String(parsed.name)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The directory of this package: the nearest one at `from` or above it whose package.json carries the package's name.
 *
 * @throws `ADDON_NOT_FOUND` when there is none, as in code that a bundler copied out of its package.
 */
export function findPackageRootAbove(from: string): string {
  for (let directory = from; ; directory = dirname(directory)) {
    if (nameOfPackageAt(directory) === packageName) return directory;
    if (dirname(directory) === directory) break;
  }
  throw createError(
    'ADDON_NOT_FOUND',
    `Expected a package.json named "${packageName}" in ${from} or above it, found none. ` +
      `A bundler has probably copied the code out of its package: mark "${packageName}" as external, or set ` +
      'LLAMA_NATIVE_ADDON to the path of the compiled addon (a .node file).',
    { details: { from } },
  );
}

let packageRoot: string | undefined;

/** The root of the package this code belongs to, the same from lib/ in a checkout and from dist/ when installed. */
export function findPackageRoot(): string {
  packageRoot ??= findPackageRootAbove(dirname(fileURLToPath(import.meta.url)));
  return packageRoot;
}
