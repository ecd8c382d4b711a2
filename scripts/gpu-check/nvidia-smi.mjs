// Asking NVIDIA's driver about the GPUs, from outside the process that uses them.
import { spawnSync } from 'node:child_process';

const fields = ['name', 'compute_cap', 'driver_version', 'memory.total', 'memory.used'];

/**
 * Reads the driver's answer: one GPU a line, sizes in MiB.
 *
 * @param {string} text
 */
export function parseGpus(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [name, computeCapability, driver, total, used] = line.split(',').map((field) => field.trim());
    if (!/^\d+\.\d+$/.test(computeCapability ?? '') || !Number.isFinite(Number(total))) {
      throw new Error(`Expected ${fields.join(', ')} from nvidia-smi, received: ${line}`);
    }
    return { name, computeCapability, driver, totalMiB: Number(total), usedMiB: Number(used) };
  });
}

/** The GPUs of this machine. Throws, saying why, where there is none to be seen. */
export function findGpus() {
  const query = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
  const result = spawnSync('nvidia-smi', query, { encoding: 'utf8', timeout: 60_000 });
  if (result.error) {
    throw new Error(`nvidia-smi cannot be started (${result.error.message}): is NVIDIA's driver installed?`);
  }
  if (result.status !== 0) throw new Error(`nvidia-smi: ${(result.stdout + result.stderr).trim()}`);
  const gpus = parseGpus(result.stdout);
  if (gpus.length === 0) throw new Error('nvidia-smi shows no GPU.');
  return gpus;
}
