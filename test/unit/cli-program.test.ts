import { describe, expect, it } from 'vitest';
import { describeFailure, UsageError } from '../../lib/cli/failures.js';
import type { Library } from '../../lib/cli/library.js';
import { parseNumber, withoutUndefined } from '../../lib/cli/options.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { readBuildFraction } from '../../lib/cli/terminal/build-display.js';
import { wantsColours } from '../../lib/cli/terminal/channel.js';
import { Interrupts } from '../../lib/cli/terminal/interrupts.js';
import { createError } from '../../lib/errors.js';
import { createTestContext, type TestContextOptions } from '../helpers/cli-context.js';

async function run(programArguments: string[], options: TestContextOptions = {}) {
  const context = createTestContext(options);
  const exitCode = await runCommandLine(programArguments, context);
  return { exitCode, output: context.outputStream.text, notes: context.notesStream.text };
}

describe('using the command line', () => {
  it('shows help for all commands and ends with 0', async () => {
    const { exitCode, output } = await run(['--help']);
    expect(exitCode).toBe(0);
    for (const name of ['chat', 'run', 'pull', 'list', 'rm', 'inspect', 'doctor', 'build']) {
      expect(output).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    }
  });

  it('shows help on stderr and ends with 2 without a command', async () => {
    const { exitCode, output, notes } = await run([]);
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: '' });
    expect(notes).toContain('Usage: llama-native');
  });

  it('shows the version', async () => {
    expect((await run(['--version'])).output).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  });

  it.each([
    [['nonsense'], "unknown command 'nonsense'", '`llama-native --help`'],
    [['chat', '--nonsense'], "unknown option '--nonsense'", '`llama-native chat --help`'],
    [['chat', '--top-p', '1.5'], 'Expected a number from 0 to 1', '`llama-native chat --help`'],
    [['run', 'x', '--max-tokens', '1.5'], 'Expected a whole number, 1 or more', '`llama-native run --help`'],
    [['rm'], "missing required argument 'model'", '`llama-native rm --help`'],
    [['list', 'hf:a/b', 'extra'], 'too many arguments', '`llama-native list --help`'],
  ])('ends %j with 2, saying what is wrong and where help is', async (programArguments, problem, hint) => {
    const { exitCode, notes, output } = await run(programArguments);
    expect(exitCode).toBe(2);
    expect(output).toBe('');
    expect(notes).toMatch(/^error: /);
    expect(notes).toContain(problem);
    expect(notes).toContain(hint);
    expect(notes).toContain('code: INVALID_ARGUMENT');
  });

  it('tells wrong use as JSON when --json is there', async () => {
    const { exitCode, output, notes } = await run(['list', '--json', '--nonsense']);
    expect(exitCode).toBe(2);
    expect(JSON.parse(output)).toEqual({
      error: { code: 'INVALID_ARGUMENT', message: "unknown option '--nonsense'" },
    });
    expect(notes).toBe('');
  });

  it('does not take --json behind -- as an option', async () => {
    const { output } = await run(['list', '--', '--json']);
    expect(output).toBe('');
  });

  it('shows a stack only where LLAMA_NATIVE_DEBUG is set', async () => {
    const library: Partial<Library> = {
      listCachedModels: async () => {
        throw new Error('surprise', { cause: new Error('deeper') });
      },
    };
    const quiet = await run(['list'], { library });
    expect(quiet.exitCode).toBe(1);
    expect(quiet.notes).toMatch(/^error: surprise\nhint: set LLAMA_NATIVE_DEBUG=1 .*\ncode: INTERNAL\n$/);
    const loud = await run(['list'], { library, environment: { LLAMA_NATIVE_DEBUG: '1' } });
    expect(loud.notes).toMatch(/\n {4}at /);
    expect(loud.notes).toContain('caused by: Error: deeper');
  });
});

describe('errors and exit codes', () => {
  it.each([
    [new UsageError('x'), 2],
    [createError('INVALID_ARGUMENT', 'x'), 2],
    [createError('SOURCE_INVALID', 'x'), 2],
    [createError('ABORTED', 'x'), 130],
    [createError('DOWNLOAD_FAILED', 'x'), 1],
    [new Error('x'), 1],
    ['thrown text', 1],
  ])('ends %j with %d', (error, exitCode) => {
    expect(describeFailure(error).exitCode).toBe(exitCode);
  });
});

describe('numbers on the command line', () => {
  it.each(['', ' ', 'abc', '1e999', 'NaN', '-1', '1.5'])(
    'refuses %j where a whole number is wanted',
    (text) => {
      expect(() => parseNumber(text, { minimum: 0, isInteger: true })).toThrow('Expected a whole number');
    },
  );

  it('takes the ends of a range', () => {
    const range = { minimum: 0, maximum: 1 };
    expect([parseNumber('0', range), parseNumber('1', range), parseNumber('.5', range)]).toEqual([0, 1, 0.5]);
    expect(() => parseNumber('1.0001', range)).toThrow('from 0 to 1');
  });

  it('leaves out what is undefined, and keeps zero and empty text', () => {
    expect(withoutUndefined({ a: undefined, b: 0, c: '' })).toEqual({ b: 0, c: '' });
  });
});

describe('colours', () => {
  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ TERM: 'dumb' }, true, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, true, false],
  ])('with %j and terminal %s are %s', (environment, isTerminal, expected) => {
    expect(wantsColours(environment, isTerminal)).toBe(expected);
  });
});

describe('Ctrl-C', () => {
  it('cancels first and forces the end when it comes again', () => {
    let forced = 0;
    const interrupts = new Interrupts(() => {
      forced += 1;
    });
    interrupts.raise();
    expect(interrupts.signal.aborted).toBe(true);
    expect(forced).toBe(0);
    interrupts.raise();
    expect(forced).toBe(1);
  });

  it('goes to the handler while there is one', () => {
    const interrupts = new Interrupts(() => {});
    let handled = 0;
    const release = interrupts.handle(() => {
      handled += 1;
    });
    interrupts.raise();
    expect({ handled, isAborted: interrupts.signal.aborted }).toEqual({ handled: 1, isAborted: false });
    release();
    interrupts.raise();
    expect({ handled, isAborted: interrupts.signal.aborted }).toEqual({ handled: 1, isAborted: true });
  });
});

describe('build', () => {
  const toolchain = { cmakeVersion: '3.25.1', compiler: 'c++', hasNinja: true, hasCompilerCache: true };

  async function build(programArguments: string[], options: TestContextOptions = {}) {
    const asked: object[] = [];
    const buildAddon: Library['buildAddon'] = async ({ onOutput, signal: _, ...given }) => {
      asked.push(given);
      onOutput?.('[1/2] Building a\n[2/');
      onOutput?.('2] Linking\n');
      return { addonPath: '/p/build/Release/x.node', toolchain };
    };
    return { ...(await run(['build', ...programArguments], { ...options, library: { buildAddon } })), asked };
  }

  it.each([
    [[], { variant: 'local' }],
    [['--portable'], { variant: 'portable' }],
    [['--cuda'], { variant: 'cuda' }],
    [['--cuda', '--arch', '86', '--jobs', '3'], { variant: 'cuda', cudaArchitectures: '86', jobs: 3 }],
  ])('compiles for %j', async (programArguments, expected) => {
    const { asked, output, exitCode } = await build(programArguments);
    expect(asked).toEqual([expected]);
    expect({ output, exitCode }).toEqual({ output: '/p/build/Release/x.node\n', exitCode: 0 });
  });

  it('refuses --arch without --cuda', async () => {
    expect((await build(['--arch', '86'])).exitCode).toBe(2);
  });

  it('shows all output with --verbose only, and a bar at a terminal', async () => {
    expect((await build([])).notes).not.toContain('Linking');
    expect((await build(['--verbose'])).notes).toContain('[2/2] Linking');
    expect((await build([], { isTerminal: true })).notes).toContain('Configuring');
  });

  it('prints the result as JSON', async () => {
    expect(JSON.parse((await build(['--json'])).output)).toEqual({
      variant: 'local',
      addonPath: '/p/build/Release/x.node',
      toolchain,
    });
  });

  it('ends with 1 and the compiler’s words when it fails', async () => {
    const buildAddon = async () => {
      throw createError('BUILD_FAILED', 'Compiling ended with code 1:\nerror: no type');
    };
    const { exitCode, notes } = await run(['build'], { library: { buildAddon } });
    expect(exitCode).toBe(1);
    expect(notes).toContain('error: no type');
    expect(notes).toContain('code: BUILD_FAILED');
  });

  it.each([
    ['[12/48] Building CXX object', 0.25],
    ['[ 45%] Building CXX object', 0.45],
    ['[100%] Built target', 1],
    ['-- Configuring done', undefined],
    ['[0/0] nothing', undefined],
  ])('reads from %j how far it is', (line, fraction) => {
    expect(readBuildFraction(line)).toBe(fraction);
  });
});
