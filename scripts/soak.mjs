#!/usr/bin/env node
// Makes requests of every kind for minutes and looks at what is left behind: npm run soak -- [requests] [seed]
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './prepare.mjs';

const [requests = '400000', seed = String(Date.now() % 100_000)] = process.argv.slice(2);
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/stress/soak.test.ts'], {
  cwd: root,
  env: { ...process.env, LLAMA_NATIVE_SOAK_REQUESTS: requests, LLAMA_NATIVE_SOAK_SEED: seed },
  stdio: 'inherit',
});
process.exit(status ?? 1);
