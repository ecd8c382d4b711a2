import { spawnSync } from 'node:child_process';
import { createError } from '../errors.js';

const pattern = /^(\d{2,3}[af]?)(-real|-virtual)?$/;

/**
 * Turns what a user writes for GPU architectures into CMake's list: `86` or `8.6` becomes `86-real`, which compiles
 * machine code for just that generation; `-virtual` keeps the portable form.
 *
 * @throws `INVALID_ARGUMENT` for anything else.
 */
export function normalizeCudaArchitectures(value: string): string {
  const parts = value.split(/[;,\s]+/).filter(Boolean);
  const normalized = parts.map((part) => {
    const match = pattern.exec(part.replace('.', ''));
    if (match === null) return undefined;
    return `${match[1]}${match[2] ?? '-real'}`;
  });
  if (normalized.length === 0 || normalized.includes(undefined)) {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected CUDA architectures such as "86" or "86-real;90-real", received "${value}". ` +
        'The number is the compute capability without its dot: nvidia-smi --query-gpu=compute_cap --format=csv',
      { details: { value } },
    );
  }
  return normalized.join(';');
}

/** The architectures of the GPUs in this machine, or undefined where the driver's tool finds none. */
export function detectCudaArchitectures(environment: NodeJS.ProcessEnv): string | undefined {
  const query = ['--query-gpu=compute_cap', '--format=csv,noheader'];
  const result = spawnSync('nvidia-smi', query, { env: environment, encoding: 'utf8', timeout: 30_000 });
  if (result.status !== 0) return undefined;
  const capabilities = new Set(result.stdout.split('\n').map((line) => line.trim().replace('.', '')));
  const known = [...capabilities].filter((capability) => pattern.test(capability)).sort();
  return known.length === 0 ? undefined : known.map((capability) => `${capability}-real`).join(';');
}
