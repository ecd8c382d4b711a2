import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './run-program.js';

/**
 * Ways into a mount namespace, in which a program sees disks that nobody else sees and that go with it: as root, or as
 * the root of a user namespace where the system lets everyone make those.
 */
const ways = [
  ['unshare', '--mount'],
  ['unshare', '--mount', '--map-root-user'],
];

function canMount([command = '', ...words]: readonly string[]): boolean {
  const script = 'mount -t tmpfs -o size=64k tmpfs /tmp && : > /tmp/file';
  return spawnSync(command, [...words, 'sh', '-c', script], { stdio: 'ignore' }).status === 0;
}

const way = process.platform === 'linux' ? ways.find(canMount) : undefined;

/** Why no disk can be mounted here; undefined where one can. */
export const noDisk: string | undefined =
  way === undefined ? 'mounting a disk needs Linux, and root or user namespaces' : undefined;

/** What programs begin with: the folder of the disk, and ways to fill it and to make room. */
const prelude = `
  import { createHash } from 'node:crypto';
  import {
    appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync,
  } from 'node:fs';
  const disk = process.env.DISK;
  const given = JSON.parse(process.env.GIVEN ?? 'null');
  const filler = disk + '/filler';
  function fillDisk() {
    for (const size of [1 << 16, 1 << 12, 1]) {
      try {
        for (;;) appendFileSync(filler, Buffer.alloc(size));
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      }
    }
  }
  const makeRoom = () => rmSync(filler);
  const hashOf = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
  const filesOn = (directory = disk) =>
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  const failureOf = (call) => call.then(
    (value) => ({ code: 'NONE', value }),
    ({ code, message, details, stack }) => ({ code, message: code === undefined ? stack : message, details }),
  );
  const report = (result) => process.stdout.write(JSON.stringify(result));
`;

interface DiskProgram {
  /** Room on the disk, in bytes. */
  readonly sizeBytes: number;
  /** What the program gets as \`given\`. */
  readonly given?: unknown;
  /** Shell text that runs before the program, when the disk is there; \`$DISK\` is its folder. */
  readonly before?: string;
}

/**
 * Runs the text of an ES module where a disk of its own is mounted, and returns what it reports. It may import the
 * compiled library, and its parts by paths from `../`. It has `disk`, `fillDisk`, `makeRoom`, `filesOn`, `hashOf`,
 * `failureOf` and `report`.
 */
export async function runOnDisk<Result>(
  { sizeBytes, given, before = ':' }: DiskProgram,
  source: string,
): Promise<Result> {
  const disk = await mkdtemp(join(tmpdir(), 'llama-native-disk-'));
  // In whole pages, which is how the system counts.
  const size = Math.ceil(sizeBytes / 4096) * 4096;
  const script = `mount -t tmpfs -o size=${size} tmpfs "$DISK" && { ${before}; } && exec "$@"`;
  const environment = [`DISK=${disk}`, `GIVEN=${JSON.stringify(given ?? null)}`];
  const launcher = ['env', ...environment, ...(way ?? []), 'sh', '-c', script, 'sh'];
  try {
    const { stdout, stderr, exitCode, signal } = await runProgram(prelude + source, '', [], launcher);
    if (exitCode !== 0) throw new Error(`the program ended with ${signal ?? exitCode}: ${stderr}${stdout}`);
    return JSON.parse(stdout) as Result;
  } finally {
    await rm(disk, { recursive: true, force: true });
  }
}

/** How a call of such a program failed. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}
