// Formats the C++ sources with the clang-format that npm installed, or with --check says which are not formatted.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { argv, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifestPath = createRequire(import.meta.url).resolve('clang-format-node/package.json');
const manifest = createRequire(import.meta.url)(manifestPath);
const program = join(dirname(manifestPath), manifest.bin['clang-format'] ?? Object.values(manifest.bin)[0]);
const sources = readdirSync(join(root, 'binding'))
  .filter((name) => /\.(cpp|h)$/.test(name))
  .map((name) => join('binding', name));
const mode = argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status } = spawnSync(execPath, [program, ...mode, ...sources], { cwd: root, stdio: 'inherit' });
exit(status ?? 1);
