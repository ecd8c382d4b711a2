#!/usr/bin/env node
// Compiles the addon: node scripts/build.mjs [local|portable|cuda] [--arch 86] [--jobs 4] [--debug] [--tools llama-bench,...]
import { parseArgs } from 'node:util';
import { importCompiled } from './compiled-library.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arch: { type: 'string' },
    jobs: { type: 'string' },
    debug: { type: 'boolean', default: false },
    tools: { type: 'string' },
  },
});
const [variant = 'local'] = positionals;

try {
  const { buildAddon } = await importCompiled('build/build-addon.js');
  const { addonPath, toolchain } = await buildAddon({
    variant,
    debug: values.debug,
    ...(values.arch && { cudaArchitectures: values.arch }),
    ...(values.jobs && { jobs: Number(values.jobs) }),
    ...(values.tools && { tools: values.tools.split(',') }),
    onOutput: (text) => process.stdout.write(text),
  });
  console.log(`\n${addonPath}`);
  if (!toolchain.hasCompilerCache)
    console.log('With ccache installed, building again from nothing takes seconds.');
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`);
  process.exitCode = 1;
}
