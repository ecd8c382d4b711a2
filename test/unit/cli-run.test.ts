import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readRunArguments } from '../../lib/cli/commands/run.js';
import { UsageError } from '../../lib/cli/failures.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { createError } from '../../lib/errors.js';
import { createTestContext, type TestContextOptions } from '../helpers/cli-context.js';
import { asModel, FakeModel, type Script } from '../helpers/fake-model.js';

const defaultModel = { file: 'tiny.gguf', repository: 'owner/tiny' };

/** Runs the command with a fake model and returns all that came of it. */
async function run(programArguments: string[], script: Script, options: TestContextOptions = {}) {
  const model = new FakeModel(script);
  const loads: { source: string; options: object }[] = [];
  const context = createTestContext({
    ...options,
    library: {
      defaultModel: defaultModel as never,
      resolveDefaultModel: async () => '/cache/tiny.gguf',
      loadModel: async (source, loadOptions = {}) => {
        loads.push({ source, options: loadOptions });
        return asModel(model);
      },
      ...options.library,
    },
  });
  const exitCode = await runCommandLine(['run', ...programArguments], context);
  return {
    exitCode,
    model,
    loads,
    context,
    output: context.outputStream.text,
    notes: context.notesStream.text,
  };
}

describe('telling model and prompt apart', () => {
  it('takes one argument as the prompt', () => {
    expect(readRunArguments(['hello'], undefined, undefined)).toEqual({ model: undefined, prompt: 'hello' });
  });

  it('takes two arguments as model and prompt', () => {
    expect(readRunArguments(['hf:a/b', 'hello'], undefined, undefined)).toEqual({
      model: 'hf:a/b',
      prompt: 'hello',
    });
  });

  it('takes the argument beside --model as the prompt, whatever it looks like', () => {
    expect(readRunArguments(['x.gguf'], 'hf:a/b', undefined)).toEqual({ model: 'hf:a/b', prompt: 'x.gguf' });
  });

  it('takes piped text as the prompt, or appends it', () => {
    expect(readRunArguments([], 'm', 'piped').prompt).toBe('piped');
    expect(readRunArguments(['Sum up:'], 'm', 'piped').prompt).toBe('Sum up:\n\npiped');
  });

  it('does not append an empty pipe', () => {
    expect(readRunArguments(['hello'], undefined, '').prompt).toBe('hello');
  });

  it.each([
    [[], undefined, undefined],
    [[], 'model', ''],
    [['a', 'b', 'c'], undefined, undefined],
    [['a', 'b'], 'model', undefined],
    [['hf:owner/repo'], undefined, 'piped'],
    [['./model.gguf'], undefined, undefined],
  ])('refuses %j with model %j and pipe %j', (parameters, model, piped) => {
    expect(() => readRunArguments(parameters, model, piped)).toThrow(UsageError);
  });

  it('does not take a sentence that ends in .gguf for a model', () => {
    expect(readRunArguments(['What is in model.gguf'], undefined, undefined).model).toBeUndefined();
  });
});

describe('run', () => {
  it('writes the text to stdout and nothing else anywhere', async () => {
    const { exitCode, output, notes, model } = await run(['m.gguf', 'Hi'], () => ['你', '好', '🎉']);
    expect({ exitCode, output, notes }).toEqual({ exitCode: 0, output: '你好🎉\n', notes: '' });
    expect(model.closedCount).toBe(1);
  });

  it('says on stderr that it uses the default model', async () => {
    const { loads, notes } = await run(['Hi'], () => ['x']);
    expect(loads[0]?.source).toBe('/cache/tiny.gguf');
    expect(notes).toContain('using the default, tiny.gguf.');
  });

  it('adds no line break to a text that ends in one', async () => {
    expect((await run(['m', 'Hi'], () => ['text\n'])).output).toBe('text\n');
  });

  it('answers with the chat template, and continues text as it is with --raw', async () => {
    const chat = await run(['m', 'Hi', '--system', 'Be brief.'], () => ['x']);
    expect(chat.model.calls).toMatchObject([{ kind: 'chat', prompt: 'Hi', system: 'Be brief.' }]);
    const raw = await run(['m', 'Once upon', '--raw'], () => ['x']);
    expect(raw.model.calls).toMatchObject([{ kind: 'raw', prompt: 'Once upon' }]);
  });

  it('refuses --raw together with --system', async () => {
    expect((await run(['m', 'Hi', '--raw', '--system', 'x'], () => [])).exitCode).toBe(2);
  });

  it('passes on what was given, and leaves the rest to the library', async () => {
    const numbers = '--temperature 0 --top-k 5 --top-p 0.5 --min-p 0.1 --seed 7 --max-tokens 9'.split(' ');
    const load = '--context-size 512 --threads 2 --gpu-layers max'.split(' ');
    const { model, loads } = await run(['m', 'Hi', ...numbers, ...load], () => ['x']);
    const { signal: _, ...given } = model.calls[0]?.options ?? {};
    expect(given).toEqual({ temperature: 0, topK: 5, topP: 0.5, minP: 0.1, seed: 7, maxTokens: 9 });
    expect(loads[0]?.options).toMatchObject({ contextSize: 512, threads: 2, gpuLayers: 'max' });
    expect(loads[0]?.options).not.toHaveProperty('chatTemplate');
  });

  it('reads adapters, each with its scale', async () => {
    const given = ['a.gguf', 'hf:o/r:b.gguf:0.5', 'C:\\c.gguf:-2', 'hf:o/r:Q8_0', './d:1e-1'];
    const { loads } = await run(['m', 'Hi', ...given.flatMap((adapter) => ['--adapter', adapter])], () => [
      'x',
    ]);
    expect(loads[0]?.options).toHaveProperty('adapters', [
      { path: 'a.gguf' },
      { path: 'hf:o/r:b.gguf', scale: 0.5 },
      { path: 'C:\\c.gguf', scale: -2 },
      { path: 'hf:o/r:Q8_0' },
      { path: './d', scale: 0.1 },
    ]);
    expect((await run(['m', 'Hi'], () => ['x'])).loads[0]?.options).not.toHaveProperty('adapters');
  });

  it.each(['a.gguf:101', ':1', ''])('refuses %j as an adapter', async (adapter) => {
    const { exitCode, loads } = await run(['m', 'Hi', '--adapter', adapter], () => []);
    expect({ exitCode, loads }).toEqual({ exitCode: 2, loads: [] });
  });

  it('appends what is piped in', async () => {
    const { model } = await run(['m', 'Sum up:'], () => ['x'], { input: 'one\ntwo 中文\n' });
    expect(model.calls[0]?.prompt).toBe('Sum up:\n\none\ntwo 中文');
  });

  it.each([
    ['bytes that are not UTF-8', Buffer.from([0x61, 0xff, 0xfe])],
    ['binary data', Buffer.from('a\0b')],
  ])('refuses %s on stdin', async (_name, input) => {
    const { exitCode, notes, loads } = await run(['m', 'x'], () => [], { input });
    expect(exitCode).toBe(2);
    expect(notes).toContain('on stdin');
    expect(loads).toEqual([]);
  });

  it('writes statistics on a terminal, and with --verbose also elsewhere', async () => {
    const line = '2 tokens · 42.5 tokens/s · first token 21 ms · prompt 12 (4 cached)';
    expect((await run(['m', 'Hi', '--verbose'], () => ['a', 'b'])).notes).toBe(`${line}\n`);
    const { notes } = await run(['m', 'Hi'], () => ['a', 'b'], { isTerminal: true });
    expect(notes).toContain(line);
  });

  it('prints one JSON object with --json', async () => {
    const { output } = await run(['m', 'Hi', '--json'], () => ['a', '好']);
    expect(JSON.parse(output)).toMatchObject({
      model: '/models/fake.gguf',
      text: 'a好',
      finishReason: 'stop',
      usage: { promptTokens: 12, cachedTokens: 4, completionTokens: 2 },
      timings: { completionTokensPerSecond: 42.5 },
    });
  });

  it('ends with 130 when it is interrupted, keeps what was written, and closes the model', async () => {
    const model = new FakeModel(() => ['begun', { waitForAbort: true }]);
    const context = createTestContext({ library: { loadModel: async () => asModel(model) } });
    const running = runCommandLine(['run', 'm', 'Hi'], context);
    await expect.poll(() => context.outputStream.text).toBe('begun');
    context.interrupts.raise();
    expect(await running).toBe(130);
    expect(context.outputStream.text).toBe('begun\n');
    expect(context.notesStream.text).toBe('Cancelled.\n');
    expect(model.closedCount).toBe(1);
  });

  it('can be interrupted while it waits for the end of a pipe', async () => {
    const context = createTestContext({ input: new PassThrough() });
    const running = runCommandLine(['run', 'm', 'Hi', '--json'], context);
    await new Promise((resolve) => setTimeout(resolve, 5));
    context.interrupts.raise();
    expect(await running).toBe(130);
    expect(JSON.parse(context.outputStream.text)).toEqual({
      error: { code: 'ABORTED', message: 'Cancelled.' },
    });
  });

  it('ends without a word when the reader of its output has gone', async () => {
    const model = new FakeModel(() => ['begun', { waitForAbort: true }]);
    const context = createTestContext({ library: { loadModel: async () => asModel(model) } });
    const running = runCommandLine(['run', 'm', 'Hi'], context);
    await expect.poll(() => context.outputStream.text).toBe('begun');
    context.interrupts.closeOutput();
    expect(await running).toBe(0);
    expect(context.notesStream.text).toBe('');
  });

  it('tells an error with its hint and code, and closes the model', async () => {
    const failure = createError('NO_CHAT_TEMPLATE', 'The model has no template.');
    const { exitCode, notes, model } = await run(['m', 'Hi'], () => ['x', failure]);
    expect(exitCode).toBe(1);
    expect(notes).toMatch(/^error: The model has no template\.\nhint: .*--raw.*\ncode: NO_CHAT_TEMPLATE\n$/);
    expect(model.closedCount).toBe(1);
  });

  it('tells an error as JSON on stdout with --json', async () => {
    const failure = createError('CONTEXT_FULL', 'No room.');
    const { exitCode, output, notes } = await run(['m', 'Hi', '--json'], () => [failure]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(output)).toEqual({ error: { code: 'CONTEXT_FULL', message: 'No room.' } });
    expect(notes).toBe('');
  });

  it('refuses a chat template that cannot be read before it loads anything', async () => {
    const { exitCode, loads, notes } = await run(['m', 'Hi', '--chat-template-file', '/nowhere'], () => []);
    expect(exitCode).toBe(2);
    expect(notes).toContain('Cannot read the chat template');
    expect(loads).toEqual([]);
  });
});
