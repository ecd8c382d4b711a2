// Starting git, npm and tar, with an error that says what was run and what it answered.
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/**
 * Runs a program to its end and returns what it printed, trimmed.
 *
 * @param {string} program
 * @param {string[]} programArguments
 * @param {{ cwd?: string, timeout?: number, optional?: boolean, inherit?: boolean, environment?: object }} options `optional`: return undefined instead of throwing when it fails. `timeout`: milliseconds.
 */
export function runProgram(program, programArguments, options = {}) {
  const result = spawnSync(program, programArguments, {
    cwd: options.cwd,
    timeout: options.timeout,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', options.inherit ? 'inherit' : 'pipe', options.inherit ? 'inherit' : 'pipe'],
    env: { ...process.env, ...options.environment },
  });
  if (result.status === 0) return (result.stdout ?? '').trim();
  if (options.optional) return undefined;
  const reason = result.error?.message ?? result.stderr ?? `exit code ${result.status}`;
  throw new Error(`${program} ${programArguments.join(' ')}: ${reason}`.trim());
}

/** Runs git; it never asks for a password, and a stalled transfer ends after 20 seconds. */
export function git(programArguments, options = {}) {
  // Variables such as GIT_DIR, set where a git hook runs, would lead it to another repository.
  const inherited = Object.keys(process.env).filter((name) =>
    /^GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX)$/.test(name),
  );
  const cleared = Object.fromEntries(inherited.map((name) => [name, undefined]));
  const transfer = ['-c', 'http.lowSpeedLimit=1000', '-c', 'http.lowSpeedTime=20'];
  const environment = { ...cleared, GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: '' };
  return runProgram('git', [...transfer, ...programArguments], { ...options, environment });
}

/**
 * The program file of npm itself, to be run by node: the npm that started this script, or the one on PATH. npm's own
 * launchers are shell scripts, which need a shell on PATH and on Windows cannot be started without one.
 */
function findNpm() {
  const { npm_execpath: started, PATH = '' } = process.env;
  if (started?.endsWith('.js') && existsSync(started)) return started;
  for (const directory of [dirname(process.execPath), ...PATH.split(delimiter)]) {
    const bundled = join(directory, 'node_modules', 'npm', 'bin', 'npm-cli.js');
    if (existsSync(bundled)) return bundled;
    const link = join(directory, 'npm');
    if (existsSync(link) && realpathSync(link).endsWith('.js')) return realpathSync(link);
  }
  throw new Error('npm was not found. Run this script through npm run.');
}

/** Runs npm; options as for {@link runProgram}. */
export function runNpm(programArguments, options = {}) {
  return runProgram(process.execPath, [findNpm(), ...programArguments], options);
}
