/** What this process holds, to see whether it gives everything back. */
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Threads and open files; 0 where the system does not tell. */
export interface Holdings {
  readonly threads: number;
  readonly files: number;
}

async function countEntries(directory: string): Promise<number> {
  return process.platform === 'linux' ? (await readdir(directory)).length : 0;
}

export async function countHoldings(): Promise<Holdings> {
  return { threads: await countEntries('/proc/self/task'), files: await countEntries('/proc/self/fd') };
}

let collect: (() => void) | undefined;

/** Collects what JavaScript has forgotten, and lets finalizers and their threads run. */
export async function collectGarbage(): Promise<void> {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  for (let round = 0; round < 3; round++) {
    collect();
    await delay(5);
  }
}

/** Memory of the process in megabytes, after a collection. */
export async function residentMegabytes(): Promise<number> {
  await collectGarbage();
  return process.memoryUsage().rss / 1e6;
}

/** Waits until no more is held than before: idle threads of the addon live for five seconds. */
export async function settleHoldings(before: Holdings): Promise<Holdings> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const now = await countHoldings();
    if (now.threads <= before.threads && now.files <= before.files) return now;
    await collectGarbage();
    await delay(100);
  }
  return countHoldings();
}
