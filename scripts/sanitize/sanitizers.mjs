// The two builds that watch over memory and threads, and what they need.
import { join } from 'node:path';
import { root } from '../prepare.mjs';

/** What each sanitizer is called by the compiler, by CMake and by the loader. */
export const sanitizers = {
  address: { option: 'LLAMA_NATIVE_SANITIZE_ADDRESS', runtime: 'libasan.so' },
  thread: { option: 'LLAMA_NATIVE_SANITIZE_THREAD', runtime: 'libtsan.so' },
};

/** The sanitizer that the command line asks for. */
export function readSanitizer(command) {
  const name = process.argv[2];
  if (Object.hasOwn(sanitizers, name ?? '')) return name;
  console.error(`Expected thread or address; received ${name}. For example: npm run ${command} -- thread`);
  process.exit(1);
}

/** Where the addon of a sanitizer is built. */
export function sanitizedBuild(name) {
  const directory = join(root, `build-${name}`);
  return { directory, addon: join(directory, 'Release', 'llama_native.node') };
}
