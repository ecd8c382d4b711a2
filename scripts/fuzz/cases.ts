/** Inputs that once crashed an engine: test/regressions holds them, a folder for each kind. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectPath } from '../../test/helpers/vendored.js';
import type { JsonObject } from './json.js';

export const casesDirectory = join(projectPath, 'test', 'regressions');

/** A case as its file has it. */
export interface StoredCase {
  /** Where it was found: what {@link FuzzKind.name} and the options of `npm run fuzz` say. */
  readonly kind: string;
  readonly seed: number;
  readonly number: number;
  /** What it did when it was found. */
  readonly signature: string;
  readonly found: 'crashed' | 'hung' | 'foreign';
  /** Why it still does that in process; missing where it is refused or harmless now. */
  readonly reason?: string;
  readonly input: JsonObject;
}

/** Cases of a kind with their names. */
export async function readCases(kind: string): Promise<Map<string, StoredCase>> {
  const directory = join(casesDirectory, kind);
  const names = existsSync(directory) ? await readdir(directory) : [];
  const cases = new Map<string, StoredCase>();
  for (const name of names.filter((file) => file.endsWith('.json')).sort()) {
    const text = await readFile(join(directory, name), 'utf8');
    cases.set(name.replace(/\.json$/, ''), JSON.parse(text) as StoredCase);
  }
  return cases;
}

function nameOf(signature: string): string {
  const words = signature.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return words.replace(/^-|-$/g, '').slice(0, 60) || 'case';
}

/** Writes a case under a name made of its signature; returns the path. */
export async function writeCase(found: StoredCase): Promise<string> {
  const directory = join(casesDirectory, found.kind);
  await mkdir(directory, { recursive: true });
  const name = nameOf(found.signature);
  let path = join(directory, `${name}.json`);
  for (let number = 2; existsSync(path); number++) path = join(directory, `${name}-${number}.json`);
  await writeFile(path, `${JSON.stringify(found, null, 2)}\n`);
  return path;
}
