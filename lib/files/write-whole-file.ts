import { randomUUID } from 'node:crypto';
import { open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { createError } from '../errors.js';
import { makeDirectory } from './make-directory.js';
import { ensureRoom, explainFailure } from './write-failures.js';

/** Options of every call that makes a file. */
export interface OutputOptions {
  /** Replace a file that is there already. Default: false, which is OUTPUT_EXISTS. */
  overwrite?: boolean;
}

/** What is known of a file before it is written. */
export interface WholeFile extends OutputOptions {
  /** Files that must not be the output itself. */
  readonly inputs?: readonly string[];
  /** Room that it will take, as far as known. */
  readonly neededBytes?: number;
  /** The room was looked for already, with that for other files. */
  readonly isRoomSure?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has a file written beside its place and moves it there when it is whole, so that nobody ever sees a half-written one
 * under its name: not after a failure, a cancelled call or a lost process. Folders on the way are created; what earlier
 * processes left half-written of the same file is removed.
 *
 * @param write writes to the path it is given; whatever it resolves to is the result.
 * @throws OUTPUT_EXISTS, DISK_FULL, FILE_ACCESS_FAILED, INVALID_ARGUMENT for an output that is an input, ABORTED.
 */
export async function writeWholeFile<Result>(
  path: string,
  file: WholeFile,
  write: (temporaryPath: string) => Promise<Result>,
): Promise<Result> {
  await prepare(path, file);
  const temporaryPath = join(
    dirname(path),
    `.${basename(path)}.${process.pid}-${randomUUID().slice(0, 8)}.partial`,
  );
  try {
    const result = await write(temporaryPath);
    throwIfAborted(path, file.signal);
    await flush(temporaryPath);
    await rename(temporaryPath, path);
    return result;
  } catch (error) {
    await rm(temporaryPath, { force: true });
    throw await explainFailure(path, file.neededBytes, error);
  }
}

/** Refuses what cannot become a file there, before anything is computed. */
async function prepare(path: string, file: WholeFile): Promise<void> {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected the path of a file to write, received ${JSON.stringify(path)}.`,
    );
  }
  throwIfAborted(path, file.signal);
  await refuseInputs(path, file.inputs ?? []);
  await refuseExisting(path, file.overwrite ?? false);
  const directory = dirname(resolve(path));
  try {
    await makeDirectory(directory);
  } catch (error) {
    throw await explainFailure(path, file.neededBytes, error);
  }
  await removeLeftovers(directory, basename(path));
  const { neededBytes, isRoomSure = false } = file;
  if (neededBytes !== undefined && !isRoomSure) await ensureRoom(path, directory, neededBytes);
}

async function refuseInputs(path: string, inputs: readonly string[]): Promise<void> {
  const real = (name: string) => realpath(name).catch(() => resolve(name));
  const output = await real(path);
  for (const input of inputs) {
    if ((await real(input)) !== output) continue;
    const message = `Expected another file to write to than the one that is read, received ${path} for both.`;
    throw createError('INVALID_ARGUMENT', message, { details: { path } });
  }
}

async function refuseExisting(path: string, overwrite: boolean): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) return;
  if (status.isDirectory()) {
    throw createError('INVALID_ARGUMENT', `Expected the path of a file to write, but ${path} is a folder.`);
  }
  if (overwrite) return;
  throw createError(
    'OUTPUT_EXISTS',
    `${path} exists already. Name another file, or set the option overwrite.`,
    {
      details: { path },
    },
  );
}

/** A process that was killed could not remove what it had begun. */
async function removeLeftovers(directory: string, name: string): Promise<void> {
  for (const entry of await readdir(directory).catch(() => [])) {
    if (!entry.startsWith(`.${name}.`) || !entry.endsWith('.partial')) continue;
    const [, processId] = /^(\d+)-[0-9a-f]{8}\.partial$/.exec(entry.slice(name.length + 2)) ?? [];
    if (processId === undefined || isRunning(Number(processId))) continue;
    await rm(join(directory, entry), { force: true }).catch(() => {});
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** After a rename that survives a loss of power, the content should have survived too. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function throwIfAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw createError('ABORTED', `Writing ${path} was cancelled; nothing of it was kept.`, {
      cause: signal.reason,
    });
  }
}
