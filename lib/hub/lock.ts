import { randomUUID } from 'node:crypto';
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { delay } from './abort.js';
import type { HubSettings } from './settings.js';

interface LockOwner {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
}

interface LockOptions extends Pick<HubSettings, 'signal' | 'tuning'> {
  /** Called again and again while another owner has the lock. */
  readonly onWait?: () => Promise<void>;
}

const pollMs = 200;

/**
 * Runs work that only one process or caller at a time may do. The lock is a file with its owner's process id, touched
 * regularly. It is best-effort, as all file locks are: what it protects must be sound without it.
 */
export async function withLock<Result>(
  path: string,
  options: LockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  await makeDirectory(dirname(path));
  const owner = { id: randomUUID(), pid: process.pid, host: hostname() };
  await acquire(path, owner, options);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, options.tuning.heartbeatMs);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readOwner(path))?.id === owner.id) await rm(path, { force: true });
  }
}

async function acquire(path: string, owner: LockOwner, options: LockOptions): Promise<void> {
  const watch = new StalenessWatch(options);
  while (!(await tryCreate(path, JSON.stringify(owner)))) {
    if (await watch.isStale(path)) {
      await removeStale(path, watch);
    } else {
      await options.onWait?.();
      await delay(pollMs, options.signal);
    }
  }
}

async function tryCreate(path: string, content: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    try {
      await handle.writeFile(content).finally(() => handle.close());
    } catch (error) {
      // On a full disk. A lock without an owner would be waited for until it is stale.
      await rm(path, { force: true });
      throw error;
    }
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // Windows says EPERM or EBUSY while a file of that name is being deleted.
    const isBusy = process.platform === 'win32' && (code === 'EPERM' || code === 'EBUSY');
    if (code === 'EEXIST' || isBusy) return false;
    throw error;
  }
}

/** Takes a stale lock away, under a second lock, so that of several waiters none removes the lock of another. */
async function removeStale(path: string, watch: StalenessWatch): Promise<void> {
  const guard = `${path}.takeover`;
  if (!(await tryCreate(guard, ''))) {
    const age = Date.now() - ((await stat(guard).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > 10_000) await rm(guard, { force: true });
    await delay(pollMs, undefined);
    return;
  }
  try {
    if (await watch.isStale(path)) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/** True while a living owner holds the lock, as far as one look can tell. */
export async function isLocked(path: string, tuning: HubSettings['tuning']): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs < tuning.lockStaleMs;
}

/**
 * Decides whether a lock was left behind. An owner that is dead by its process id is given three heartbeats, since the
 * id may be of another container with the same host name. Any other is given long, in time that this process was
 * awake: after a machine's sleep all heartbeats look old.
 */
class StalenessWatch {
  readonly #tuning: HubSettings['tuning'];
  #heartbeat = 0;
  #seenSince = 0;

  constructor({ tuning }: LockOptions) {
    this.#tuning = tuning;
  }

  async isStale(path: string): Promise<boolean> {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) return false;
    if (info.mtimeMs !== this.#heartbeat) {
      this.#heartbeat = info.mtimeMs;
      this.#seenSince = performance.now();
    }
    if (performance.now() - this.#seenSince > this.#tuning.lockStaleMs) return true;
    const owner = await readOwner(path);
    const isDead = owner !== undefined && owner.host === hostname() && !isAlive(owner.pid);
    return isDead && Date.now() - info.mtimeMs > 3 * this.#tuning.heartbeatMs;
  }
}

async function readOwner(path: string): Promise<LockOwner | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { id, pid, host } = value as Partial<Record<keyof LockOwner, unknown>>;
    if (typeof id !== 'string' || typeof pid !== 'number' || typeof host !== 'string') return undefined;
    return { id, pid, host };
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
