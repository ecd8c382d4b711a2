import { availableParallelism, cpus, totalmem } from 'node:os';
import { formatBytes } from '../terminal/format.js';
import type { Check } from './check.js';

const scarceMemoryBytes = 500_000_000;

/** Whether a version such as `v20.20.2` is one that package.json allows: `^20.17.0 || >=22.9.0`. */
export function isSupportedNodeVersion(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return (major === 20 && minor >= 17) || (major === 22 && minor >= 9) || major > 22;
}

/** The version of Node.js. */
export function checkNode(version = process.version): Check {
  const check = { name: 'Node.js', detail: version, facts: { version } };
  return isSupportedNodeVersion(version)
    ? { ...check, status: 'ok' }
    : {
        ...check,
        status: 'failed',
        remedy: 'install Node.js 20.17 or later in that line, or 22.9 or later.',
      };
}

/** Operating system, processor and C library. */
export function checkPlatform(description: string): Check {
  const model = cpus()[0]?.model.trim() || 'processor';
  const threads = availableParallelism();
  return {
    name: 'Platform',
    status: 'ok',
    detail: `${description}, ${model}, ${threads} threads`,
    facts: { platform: process.platform, arch: process.arch, processor: model, threads },
  };
}

/** Memory that a model could take now. */
export function checkMemory(availableBytes = process.availableMemory(), totalBytes = totalmem()): Check {
  const check = {
    name: 'Memory',
    detail: `${formatBytes(availableBytes)} of ${formatBytes(totalBytes)} available`,
    facts: { availableBytes, totalBytes },
  };
  return availableBytes >= scarceMemoryBytes
    ? { ...check, status: 'ok' }
    : { ...check, status: 'warning', remedy: 'end other programs, or use a small model and context.' };
}
