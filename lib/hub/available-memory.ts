import { freemem, totalmem } from 'node:os';
import { checkKeys, invalidArgument } from '../arguments.js';
import { getDevices } from '../native/system.js';

/** Memory that a model may take, in bytes. */
export interface AvailableMemory {
  /** Memory of graphics cards, all together; 0 without one. */
  readonly gpuBytes: number;
  /** Memory of the machine. */
  readonly hostBytes: number;
}

/** Checks and completes what a caller says of the memory; a number is memory of the machine without a graphics card. */
export async function readAvailableMemory(
  given: number | Partial<AvailableMemory> | undefined,
): Promise<AvailableMemory> {
  if (given === undefined) return measureMemory();
  if (typeof given === 'number') return { gpuBytes: 0, hostBytes: checkBytes('memory', given) };
  checkKeys('memory', given, ['gpuBytes', 'hostBytes']);
  const { gpuBytes, hostBytes } = given;
  if (gpuBytes !== undefined) checkBytes('memory.gpuBytes', gpuBytes);
  if (hostBytes !== undefined) checkBytes('memory.hostBytes', hostBytes);
  if (gpuBytes !== undefined && hostBytes !== undefined) return { gpuBytes, hostBytes };
  return { gpuBytes: gpuBytes ?? 0, hostBytes: hostBytes ?? freeHostBytes() };
}

function checkBytes(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidArgument(name, 'a whole number of bytes', value);
}

async function measureMemory(): Promise<AvailableMemory> {
  // Without a compiled addon there is nothing to run a model on, but one may be chosen and downloaded.
  const devices = await getDevices().catch(() => []);
  const gpus = devices.filter((device) => device.kind === 'gpu');
  return { gpuBytes: gpus.reduce((sum, gpu) => sum + gpu.freeBytes, 0), hostBytes: freeHostBytes() };
}

/** What a process can take: within the limits of its container, and with caches that the system gives up. */
function freeHostBytes(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  // macOS counts caches as used: two thirds of the memory is what it gives to a process that asks.
  const free = process.platform === 'darwin' ? Math.floor((totalmem() * 2) / 3) : freemem();
  return limit > 0 && limit < totalmem() ? Math.min(free, limit - process.memoryUsage().rss) : free;
}
