// Where Visual Studio keeps the C++ runtime that programs may ship beside themselves. The portable build links it
// dynamically, and a machine without Visual Studio often has none.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './commands.mjs';

const libraries = ['msvcp140.dll', 'vcruntime140.dll', 'vcruntime140_1.dll'];

function newestFirst(directory) {
  const byNumber = (left, right) => right.localeCompare(left, 'en', { numeric: true });
  return existsSync(directory) ? readdirSync(directory).sort(byNumber) : [];
}

/** The runtime's libraries for this processor: pairs of name and path. */
export function findVisualCppRuntime() {
  const programFiles = process.env['ProgramFiles(x86)'] ?? 'C:\\Program Files (x86)';
  const locator = join(programFiles, 'Microsoft Visual Studio', 'Installer', 'vswhere.exe');
  const query = ['-latest', '-products', '*', '-property', 'installationPath'];
  const redistributable = join(runProgram(locator, query), 'VC', 'Redist', 'MSVC');
  for (const version of newestFirst(redistributable)) {
    const directory = join(redistributable, version, process.arch);
    for (const name of newestFirst(directory).filter((entry) => /^Microsoft\.VC\d+\.CRT$/.test(entry))) {
      return libraries.map((library) => [library, join(directory, name, library)]);
    }
  }
  throw new Error(`No Visual C++ runtime was found in ${redistributable}.`);
}
