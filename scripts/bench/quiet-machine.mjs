// A measurement on a machine that does something else at the same time says nothing: decoding threads wait for each
// other, so one that is held up holds up all. Whether others are at work is looked at while nothing of ours runs.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Share of the processors in use above which the machine counts as busy. */
export const busyLimit = 0.1;

const sampleMs = 500;

function processorTimes() {
  return cpus().map(({ times }) => ({
    idle: times.idle,
    all: times.idle + times.user + times.nice + times.sys + times.irq,
  }));
}

/** Share of the processors that was in use between two readings, from 0 to 1. */
export function busyShare(before, after) {
  const sum = (times, what) => times.reduce((total, time) => total + time[what], 0);
  const all = sum(after, 'all') - sum(before, 'all');
  return all <= 0 ? 0 : 1 - (sum(after, 'idle') - sum(before, 'idle')) / all;
}

/** Share of the processors that others use now. */
export async function measureBusyShare() {
  const before = processorTimes();
  await sleep(sampleMs);
  return busyShare(before, processorTimes());
}

/** Waits until the machine is quiet, at most so long, and returns the share in use then. */
export async function waitForQuiet(limitSeconds, measure = measureBusyShare) {
  const limit = performance.now() + limitSeconds * 1000;
  for (;;) {
    const busy = await measure();
    if (busy <= busyLimit || performance.now() >= limit) return busy;
  }
}

/**
 * Runs a measurement when the machine is quiet, and again if it was not quiet any more behind it. Returns the result
 * of the attempt that was disturbed least, with the share in use before or after it, whichever is more.
 */
export async function measureInQuiet(work, { waitSeconds, attempts, measure = measureBusyShare }) {
  let best;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const before = await waitForQuiet(waitSeconds, measure);
    const result = await work();
    const busy = Math.max(before, await measure());
    if (best === undefined || busy < best.busy) best = { result, busy };
    if (best.busy <= busyLimit) break;
  }
  return best;
}
