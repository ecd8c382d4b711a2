#!/usr/bin/env node
// What prebuildify starts in place of node-gyp. It hands over `--target=<Node.js version>` and the like, which cmake-js
// would take for the name of a build target; with Node-API one build serves all versions, so they are not needed. The
// portable build is brought up to date and copied to where prebuildify expects results, because it strips and moves
// files there, and the next build could not continue from what is left.
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { importCompiled } from './compiled-library.mjs';
import { findVisualCppRuntime } from './visual-cpp-runtime.mjs';

const results = join(process.cwd(), 'build', 'Release');
const shipped = /\.(node|so|dylib|dll)$/;

const { buildAddon } = await importCompiled('build/build-addon.js');
const { addonPath } = await buildAddon({
  variant: 'portable',
  onOutput: (text) => process.stdout.write(text),
});

rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const built = dirname(addonPath);
for (const name of readdirSync(built).filter((file) => shipped.test(file))) {
  copyFileSync(join(built, name), join(results, name));
}
if (process.platform === 'win32') {
  for (const [name, path] of findVisualCppRuntime()) copyFileSync(path, join(results, name));
}
