#!/usr/bin/env node
// Compiles the addon and llama.cpp with a sanitizer: npm run compile:sanitize -- thread|address
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runProgram } from '../commands.mjs';
import { root, runSteps } from '../prepare.mjs';
import { readSanitizer, sanitizedBuild, sanitizers } from './sanitizers.mjs';

const name = readSanitizer('compile:sanitize');
const { directory, addon } = sanitizedBuild(name);
const require = createRequire(join(root, 'package.json'));
const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
const common = ['--directory', root, '--out', directory, '--config', 'RelWithDebInfo'];

// Functions as they are written, with names and lines: what a report needs. More optimization would not pay for its
// compile time.
const flags = '-O1 -g1 -DNDEBUG';
const definitions = {
  [sanitizers[name].option]: 'ON',
  NODE_ADDON_API_DIR: dirname(require.resolve('node-addon-api')),
  CMAKE_C_FLAGS_RELWITHDEBINFO: flags,
  CMAKE_CXX_FLAGS_RELWITHDEBINFO: flags,
};
const settings = Object.entries(definitions).map(([key, value]) => `--CD${key}=${value}`);

await runSteps(() => {
  const run = (...steps) => runProgram(process.execPath, [cmakeJs, ...steps], { cwd: root, inherit: true });
  run('configure', ...common, '-G', 'Ninja', ...settings);
  run('build', ...common, '--target', 'llama_native');
  console.log(`\n${addon}`);
});
