// Looks for bugs in the C++ sources with clang-tidy, which has to be installed (Debian: apt-get install clang-tidy).
// Uses the compile commands of the last local build.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exit } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const commands = join(root, 'build', 'compile_commands.json');
if (!existsSync(commands)) {
  console.error(`${commands} is missing. Compile the addon first: npm run compile:native`);
  exit(1);
}
const sources = readdirSync(join(root, 'binding'))
  .filter((name) => name.endsWith('.cpp'))
  .map((name) => join('binding', name));
const { status, error } = spawnSync('clang-tidy', ['--quiet', '-p', 'build', ...sources], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
if (error)
  console.error('clang-tidy was not found. On Debian and Ubuntu: sudo apt-get install -y clang-tidy');
exit(status ?? 1);
