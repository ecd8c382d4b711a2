import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Model } from '../../lib/index.js';

/** The process of a model's engine. */
export async function engineOf(model: Model): Promise<number> {
  const { engineProcess } = await model.metrics();
  if (engineProcess === undefined) throw new Error('The model has no engine of its own.');
  return engineProcess.processId;
}

/** Whether a process is there; one that has ended and waits to be collected is not. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    if (process.platform !== 'linux') return true;
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${processId}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Kills the engine of a model, and waits until the model has heard of it. */
export async function crashEngine(model: Model, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  const crash = new Promise((resolve) => model.once('crash', resolve));
  process.kill(await engineOf(model), signal);
  await crash;
}

/** How long it takes until a process is gone; fails after five seconds. */
export async function untilGone(processId: number): Promise<number> {
  const begin = performance.now();
  while (isRunning(processId)) {
    if (performance.now() - begin > 5000) throw new Error(`The process ${processId} is still there.`);
    await delay(5);
  }
  return performance.now() - begin;
}

/** The processes that this one started and that are still there. Linux only. */
export function childrenOf(processId = process.pid): number[] {
  const text = readFileSync(`/proc/${processId}/task/${processId}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number).filter(isRunning);
}
