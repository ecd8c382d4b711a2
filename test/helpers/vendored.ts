/** Where the vendored llama.cpp keeps what conformance tests read. Nothing of it is copied into this repository. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CppToken, readCppTokens } from './cpp-tokens.js';

export const projectPath = fileURLToPath(new URL('../..', import.meta.url));

/** Absolute path of something in vendor/llama.cpp. */
export function vendoredPath(...names: string[]): string {
  return path.join(projectPath, 'vendor', 'llama.cpp', ...names);
}

/** Text of a file in vendor/llama.cpp, with the line endings it has in the repository. */
export async function readVendored(...names: string[]): Promise<string> {
  return (await readFile(vendoredPath(...names), 'utf8')).replaceAll('\r\n', '\n');
}

/** Tokens of one of llama.cpp's own test programs. */
export async function readVendoredTest(name: string): Promise<CppToken[]> {
  return readCppTokens(await readVendored('tests', name));
}
