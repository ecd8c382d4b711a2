// Lets scripts use the library's own modules. They are TypeScript, so the compiled form is used, brought up to date
// first; a type error in an unrelated room stops nothing here, because `npm run check` is where those are reported.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

function modificationTime(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestSource() {
  const library = join(root, 'lib');
  const names = readdirSync(library, { recursive: true }).filter((name) => name.endsWith('.ts'));
  return Math.max(...names.map((name) => modificationTime(join(library, name))));
}

function compile() {
  const manifest = createRequire(join(root, 'package.json')).resolve('typescript/package.json');
  const compiler = join(dirname(manifest), 'bin', 'tsc');
  return spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.json')], { encoding: 'utf8' });
}

/**
 * Compiles the library if any of its sources is newer than the compiled form of the module, and returns its path.
 *
 * @param {string} name a module by its path below dist/, for example `build/build-addon.js`
 */
export function ensureCompiled(name) {
  const path = join(root, 'dist', name);
  const newest = newestSource();
  if (modificationTime(path) >= newest) return path;
  const { stdout, stderr } = compile();
  if (modificationTime(path) >= newest) return path;
  throw new Error(`TypeScript left no up-to-date ${path}:\n${stdout}${stderr}`);
}

/** Imports a module of the library, compiled first if need be; see {@link ensureCompiled}. */
export function importCompiled(name) {
  return import(pathToFileURL(ensureCompiled(name)).href);
}
