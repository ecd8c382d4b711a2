#!/usr/bin/env node
// Runs the stress tests on an addon with a sanitizer: npm run test:sanitize -- thread|address [test files]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../commands.mjs';
import { root } from '../prepare.mjs';
import { readSanitizer, sanitizedBuild, sanitizers } from './sanitizers.mjs';

/** Those that start many threads or end them at bad moments. */
const defaultTests = ['test/stress/random-schedules.test.ts', 'test/stress/soak.test.ts'];

const name = readSanitizer('test:sanitize');
const { directory, addon } = sanitizedBuild(name);
if (!existsSync(addon)) {
  console.error(`${addon} is missing. Compile it first: npm run compile:sanitize -- ${name}`);
  process.exit(1);
}

/** The runtime that belongs to the compiler of the build: node itself is compiled without, so it is loaded first. */
function findRuntime() {
  const cache = readFileSync(join(directory, 'CMakeCache.txt'), 'utf8');
  const compiler = /^CMAKE_CXX_COMPILER:[A-Z]+=(.*)$/m.exec(cache)?.[1] ?? 'c++';
  return runProgram(compiler, [`-print-file-name=${sanitizers[name].runtime}`]);
}

/** ThreadSanitizer needs its addresses free, which Linux takes at random where this is more than 28. */
function addressesAreFixed() {
  const bits = '/proc/sys/vm/mmap_rnd_bits';
  return name !== 'thread' || !existsSync(bits) || Number(readFileSync(bits, 'utf8')) <= 28;
}

const suppressions = join(root, 'scripts', 'sanitize', `${name}.supp`);
/** Code with a sanitizer is some 20 times slower. */
const fewer = { LLAMA_NATIVE_SCHEDULES: '20', LLAMA_NATIVE_SOAK_REQUESTS: '2000' };

const environment = {
  LD_PRELOAD: findRuntime(),
  LLAMA_NATIVE_ADDON: addon,
  LLAMA_NATIVE_SANITIZER: name,
  TSAN_OPTIONS: `suppressions=${suppressions}:history_size=4:second_deadlock_stack=1:exitcode=0`,
  // Node keeps what it allocates until the process ends, so leaks are looked for by the soak test instead.
  ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: `suppressions=${suppressions}:print_stacktrace=1`,
};
const tests = process.argv.length > 3 ? process.argv.slice(3) : defaultTests;
const vitest = [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...tests];
const command = addressesAreFixed()
  ? [process.execPath, ...vitest]
  : ['setarch', '-R', process.execPath, ...vitest];
const [program, ...programArguments] = command;
const { status, stdout, stderr } = spawnSync(program, programArguments, {
  cwd: root,
  env: { ...fewer, ...process.env, ...environment },
  encoding: 'utf8',
  maxBuffer: 1 << 30,
  stdio: ['ignore', 'pipe', 'pipe'],
});

/** A report goes from its first line to its summary, or is the one line of a runtime error and the stack below it. */
const report =
  /^(?:WARNING: ThreadSanitizer|==\d+==ERROR)[\s\S]*?^SUMMARY:.*$|^.*: runtime error: .*(?:\n {4}#.*)*/gm;

/** Names and lines of the addon's addresses. The runtime itself knows only what was loaded when it was first asked. */
function withNames(text) {
  const pattern = /<null> <null> \(llama_native\.node\+(0x[0-9a-f]+)\)/g;
  const addresses = [...new Set([...text.matchAll(pattern)].map(([, address]) => address))];
  if (addresses.length === 0) return text;
  const lines = runProgram('addr2line', ['-Csfpe', addon, ...addresses]).split('\n');
  const names = new Map(addresses.map((address, index) => [address, lines[index]]));
  return text.replace(pattern, (_, address) => `${names.get(address)} (llama_native.node)`);
}

/** Functions to pass over, for reports that had no names when the runtime read the same file. */
const passedOver = readFileSync(suppressions, 'utf8')
  .split('\n')
  .flatMap((line) => /^race:([A-Za-z_]+)$/.exec(line)?.[1] ?? []);

const reports = (stderr.match(report) ?? []).map(withNames);
// The test runner is in the same process. Of code that is not instrumented, reports mean nothing.
const isOwn = (text) => /llama_native\.node|binding\/|llama\.cpp\//.test(text);
const own = reports.filter((text) => isOwn(text) && !passedOver.some((name) => text.includes(name)));
process.stdout.write(`${stdout}\n${own.join('\n\n')}\n`);
if (own.length === 0 && status !== 0) process.stderr.write(stderr);
console.log(`${own.length} reports of the sanitizer; ${reports.length - own.length} were passed over`);
process.exit(status !== 0 || own.length > 0 ? 1 : 0);
