import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../helpers/cli-context.js';
import { runProcess, runShell, TerminalSession } from '../helpers/cli-process.js';
import { testModelPath } from '../helpers/model.js';

/** Short answers that are always the same, so that a busy machine is done in time. */
const greedy = ['--temperature', '0', '--max-tokens', '8', '--context-size', '512'];

let model: string;
beforeAll(async () => {
  model = await testModelPath();
});

describe('run with a real model', () => {
  it('writes just the answer to stdout, the same each time with temperature 0', async () => {
    const first = await runProcess(['run', model, 'Say hello.', ...greedy]);
    const second = await runProcess(['run', '--model', model, ...greedy], { input: 'Say hello.\n' });
    expect(first).toMatchObject({ exitCode: 0, notes: '' });
    expect(first.output.trim()).not.toBe('');
    expect(second.output).toBe(first.output);
  });

  it('tells usage and timings with --json', async () => {
    const { output, exitCode } = await runProcess([
      'run',
      model,
      'Count.',
      '--json',
      ...greedy,
      '--max-tokens',
      '1',
    ]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toMatchObject({
      model,
      text: expect.stringMatching(/\S/),
      finishReason: 'length',
      usage: { completionTokens: 1, promptTokens: expect.any(Number), cachedTokens: 0 },
      timings: { timeToFirstTokenMs: expect.any(Number), completionTokensPerSecond: expect.any(Number) },
    });
  });

  it('continues raw text without the chat template', async () => {
    const raw = await runProcess(['run', model, 'One two three four', '--raw', '--json', ...greedy]);
    const chat = await runProcess(['run', model, 'One two three four', '--json', ...greedy]);
    const promptTokens = ({ output }: { output: string }) =>
      (JSON.parse(output) as { usage: { promptTokens: number } }).usage.promptTokens;
    expect(promptTokens(raw)).toBeLessThanOrEqual(5);
    expect(promptTokens(chat)).toBeGreaterThan(10);
  });

  it('ends quietly when head has seen enough', async () => {
    const line = `llama-native run ${model} 'Tell a long story.' --max-tokens 200 | head -c 1; echo " \${PIPESTATUS[0]}"`;
    const { output, notes } = await runShell(line);
    expect(output).toMatch(/^\S 0\n$/s);
    expect(notes).toBe('');
  });

  it('ends with 130 at SIGINT, having written what it had', async () => {
    const { exitCode, output, notes } = await runProcess(
      ['run', model, 'Tell a long story.', '--max-tokens', '2000', '--context-size', '4096'],
      { onFirstOutput: (child) => child.kill('SIGINT') },
    );
    expect(exitCode).toBe(130);
    expect(output).toMatch(/\S.*\n$/s);
    expect(notes).toBe('Cancelled.\n');
  });

  it('refuses a prompt that does not fit the context, with code and hint', async () => {
    const input = 'word '.repeat(600);
    const { exitCode, notes } = await runProcess(['run', '-m', model, '--context-size', '256'], { input });
    expect(exitCode).toBe(1);
    expect(notes).toContain('hint: a larger --context-size makes room');
    expect(notes).toContain('code: PROMPT_TOO_LONG');
  });
});

describe('chat with a real model', () => {
  let session: TerminalSession | undefined;
  afterEach(() => session?.kill());

  /** Waits until the end of the screen looks as expected. */
  async function see(pattern: RegExp): Promise<void> {
    await expect.poll(() => session?.screen ?? '', { timeout: 40_000, interval: 50 }).toMatch(pattern);
  }

  it('remembers the conversation and continues from the KV cache', async () => {
    const input = 'My name is Ada.\nWhat is my name?\n';
    const { output, exitCode } = await runProcess(['chat', model, '--json', ...greedy], { input });
    expect(exitCode).toBe(0);
    const answers = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { usage: { promptTokens: number; cachedTokens: number } });
    expect(answers).toHaveLength(2);
    const [first, second] = answers.map((answer) => answer.usage);
    expect(first?.cachedTokens).toBe(0);
    expect(second?.cachedTokens).toBeGreaterThanOrEqual(first?.promptTokens ?? Number.NaN);
  });

  it('streams in a terminal, stops an answer at Ctrl-C, goes on, and leaves at two more', async () => {
    session = new TerminalSession(['chat', model, '--context-size', '1024', '--temperature', '0']);
    await see(/\n> $/);
    session.type(`Tell me a very long story about a dog.${keys.enter}`);
    await see(/dog\.\n\S+/);
    session.type(keys.controlC);
    await see(/Stopped\. Press Ctrl-C again to leave, or go on typing\.\n> $/);
    session.type(`/history${keys.enter}`);
    await see(/user: Tell me a very long story about a dog\.\nassistant: \S+/);
    await see(/\n> $/);
    session.type(keys.controlC);
    await see(/\nPress Ctrl-C again to leave, or go on typing\.\n> $/);
    session.type(keys.controlC);
    expect(await session.exitCode).toBe(130);
  });

  it('takes Chinese, with a mistake corrected, shows statistics, and leaves at Ctrl-D', async () => {
    session = new TerminalSession(['chat', model, ...greedy]);
    await see(/\n> $/);
    session.type('你好吗');
    await see(/> 你好吗$/);
    session.type(`${keys.backspace}！`);
    await see(/> 你好！$/);
    session.type(keys.enter);
    await see(/tokens · .* tokens\/s · first token .* · prompt \d+ \(\d+ cached\).*\n\n> $/);
    session.type(`/history${keys.enter}`);
    await see(/user: 你好！\nassistant: /);
    await see(/\n> $/);
    session.type(keys.controlD);
    expect(await session.exitCode).toBe(0);
  });
});

describe('commands without a model in memory', () => {
  it('inspects the real model', async () => {
    const { exitCode, output } = await runProcess(['inspect', model, '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toMatchObject({
      architecture: 'llama',
      contextLength: 8192,
      vocabularySize: 49_152,
      layerCount: 30,
      parameterCount: 134_515_008,
      chatTemplate: expect.stringContaining('im_start'),
    });
  });

  it('says that a text file is not a model', async () => {
    const { exitCode, notes } = await runProcess(['inspect', fileURLToPath(import.meta.url)]);
    expect(exitCode).toBe(1);
    expect(notes).toContain('code: MODEL_INVALID');
  });

  it('finds this machine able to generate', async () => {
    const { exitCode, output } = await runProcess(['doctor', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ ready: true });
  });

  it('finds a machine without an addon unable, and says how to build it', async () => {
    const environment = { LLAMA_NATIVE_ADDON: '/nowhere/llama_native.node' };
    const { exitCode, output } = await runProcess(['doctor'], { environment });
    expect(exitCode).toBe(1);
    expect(output).toMatch(/✗ Addon .*\/nowhere\/llama_native\.node/);
    expect(output).toContain('→ llama-native build');
  });

  it('lists an empty cache as an empty array', async () => {
    const { output } = await runProcess(['list', '--json', '--cache-directory', '/nowhere']);
    expect(JSON.parse(output)).toEqual([]);
  });

  it('writes no colours into a pipe, unless FORCE_COLOR asks for them', async () => {
    const plain = await runProcess(['--help'], { environment: { FORCE_COLOR: '' } });
    expect(plain.output).not.toContain('\x1b[');
    const forced = await runProcess(['--help'], { environment: { FORCE_COLOR: '1' } });
    expect(forced.output).toContain('\x1b[');
  });

  it('shows help within 150 ms of what Node.js itself takes', () => {
    const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
    const fastest = (...programArguments: string[]) =>
      Math.min(
        ...Array.from({ length: 7 }, () => {
          const start = performance.now();
          spawnSync(process.execPath, programArguments);
          return performance.now() - start;
        }),
      );
    expect(fastest(program, '--help') - fastest('--eval', '0')).toBeLessThan(150);
  });
});
