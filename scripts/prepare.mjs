// What has to be there before the project can run: dependencies, llama.cpp's sources, the compiled library and addon.
// Each step is skipped where it is done already. Imports nothing that npm installs.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runNpm, runProgram } from './commands.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

function say(text) {
  process.stderr.write(`> ${text}\n`);
}

/** True if the installed packages are those of the lock file. */
function dependenciesInstalled() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const { packages: wanted } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { packages: present } = JSON.parse(readFileSync(installed, 'utf8'));
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || present[path]?.version === entry.version,
  );
}

function runScript(name, ...scriptArguments) {
  runProgram(process.execPath, [join(root, 'scripts', name), ...scriptArguments], {
    cwd: root,
    inherit: true,
  });
}

/**
 * Brings the checkout up to date.
 *
 * @param {{ tools?: string[] }} options `tools`: programs of llama.cpp to compile as well.
 */
export function prepare({ tools = [] } = {}) {
  if (!dependenciesInstalled()) {
    say('installing dependencies');
    runNpm(['ci'], { cwd: root, inherit: true });
  }
  say('filling vendor/llama.cpp');
  runScript('vendor.mjs');
  say('compiling the library');
  runNpm(['run', '--silent', 'compile:library'], { cwd: root, inherit: true });
  say('compiling the addon (about 10 minutes on two cores the first time, seconds later)');
  runScript('build.mjs', 'local', ...(tools.length > 0 ? ['--tools', tools.join(',')] : []));
}

/** Runs the steps of a script and ends the process with a readable error if one fails. */
export async function runSteps(steps) {
  try {
    await steps();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
