import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** The number of physical cores, as Linux lists which logical processors share one; undefined elsewhere. */
function countLinuxCores(): number | undefined {
  const directory = '/sys/devices/system/cpu';
  try {
    const siblings = new Set<string>();
    for (const name of readdirSync(directory)) {
      if (!/^cpu\d+$/.test(name)) continue;
      siblings.add(readFileSync(`${directory}/${name}/topology/thread_siblings_list`, 'utf8').trim());
    }
    return siblings.size > 0 ? siblings.size : undefined;
  } catch {
    return undefined; // another system, or a container that hides the topology
  }
}

/**
 * Threads for evaluation: one for each physical core, since the second thread of a core only competes for its
 * arithmetic units. Never more than the process may use.
 */
export function defaultThreads(): number {
  const available = availableParallelism();
  const cores = countLinuxCores() ?? (process.arch === 'x64' ? Math.ceil(available / 2) : available);
  return Math.max(1, Math.min(cores, available, 512));
}
