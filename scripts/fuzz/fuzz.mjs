#!/usr/bin/env node
// Gives the library mutated files and inputs, in engines that may crash: npm run fuzz -- --help
// The fuzzer is TypeScript, which Node.js 20 does not read; the test runner's own loader does.
import { join } from 'node:path';
import { createViteServer } from 'vitest/node';
import { ensureCompiled } from '../compiled-library.mjs';
import { root } from '../prepare.mjs';

// What the process of an isolated engine runs.
ensureCompiled('isolate/engine-process.js');
// An engine that aborts would be looked at by a debugger first, for seconds.
process.env.GGML_NO_BACKTRACE = '1';

const server = await createViteServer({
  root,
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, ws: false },
  appType: 'custom',
  optimizeDeps: { noDiscovery: true },
});
try {
  const { main } = await server.ssrLoadModule(join(root, 'scripts', 'fuzz', 'main.ts'));
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await server.close();
}
