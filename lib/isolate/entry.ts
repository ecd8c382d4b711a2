import { join } from 'node:path';
import { findPackageRoot } from '../host/package-root.js';

/** The program that the process of an engine runs. */
export function engineEntry(): string {
  return join(findPackageRoot(), 'dist', 'isolate', 'engine-process.js');
}
