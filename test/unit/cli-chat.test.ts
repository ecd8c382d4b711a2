import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../lib/cli/program.js';
import { createError } from '../../lib/errors.js';
import {
  createTestContext,
  Keyboard,
  keys,
  type TestContext,
  withoutControlSequences,
} from '../helpers/cli-context.js';
import { asModel, FakeModel, type Script } from '../helpers/fake-model.js';

/** A chat at a terminal that a test types into. */
class Conversation {
  readonly keyboard = new Keyboard();
  readonly model: FakeModel;
  readonly context: TestContext;
  readonly exit: Promise<number>;

  constructor(script: Script, programArguments: string[] = []) {
    this.model = new FakeModel(script);
    this.context = createTestContext({
      input: this.keyboard,
      isTerminal: true,
      environment: { NO_COLOR: '1' },
      library: { loadModel: async () => asModel(this.model) },
    });
    this.exit = runCommandLine(['chat', 'm.gguf', ...programArguments], this.context);
  }

  get screen(): string {
    return withoutControlSequences(this.context.outputStream.text).replaceAll('\r', '');
  }

  get notes(): string {
    return this.context.notesStream.text;
  }

  get isAtPrompt(): boolean {
    return this.screen.endsWith('> ') || this.screen.endsWith('… ');
  }

  /** Waits for the prompt, types a line, and waits for the next prompt. */
  async say(line: string): Promise<void> {
    await expect.poll(() => this.isAtPrompt).toBe(true);
    const before = this.screen.length;
    await this.keyboard.type(`${line}${keys.enter}`);
    await expect.poll(() => this.isOver || (this.isAtPrompt && this.screen.length > before)).toBe(true);
  }

  isOver = false;

  async leave(): Promise<number> {
    await expect.poll(() => this.screen.endsWith('> ')).toBe(true);
    this.isOver = true;
    await this.keyboard.type(keys.controlD);
    return this.exit;
  }
}

describe('chat at a terminal', () => {
  it('streams answers, shows statistics, and leaves with Ctrl-D', async () => {
    const chat = new Conversation((prompt) => ['You said ', prompt]);
    await chat.say('你好');
    expect(chat.screen).toContain('> 你好\n');
    expect(chat.screen).toContain('You said 你好\n');
    expect(chat.notes).toContain('2 tokens · 42.5 tokens/s · first token 21 ms · prompt 12 (4 cached)');
    expect(await chat.leave()).toBe(0);
    expect(chat.model.closedCount).toBe(1);
  });

  it('leaves with /exit', async () => {
    const chat = new Conversation(() => []);
    chat.isOver = true;
    await chat.say('/exit');
    expect(await chat.exit).toBe(0);
  });

  it('puts lines together to one message', async () => {
    const chat = new Conversation(() => ['ok']);
    await chat.say('one\\');
    await chat.say('two');
    expect(chat.model.calls.map((call) => call.prompt)).toEqual(['one\ntwo']);
    await chat.leave();
  });

  it('stops the answer alone at Ctrl-C, and leaves at the next', async () => {
    const chat = new Conversation(() => ['half an', { waitForAbort: true }]);
    await expect.poll(() => chat.screen.endsWith('> ')).toBe(true);
    await chat.keyboard.type(`Hi${keys.enter}`);
    await expect.poll(() => chat.screen.endsWith('half an')).toBe(true);
    await chat.keyboard.type(keys.controlC);
    await expect.poll(() => chat.notes).toContain('Stopped. Press Ctrl-C again to leave');
    await chat.say('/history');
    expect(chat.notes).toContain('user: Hi\nassistant: half an\n');
    await chat.keyboard.type(keys.controlC);
    await expect.poll(() => chat.notes).toContain('Press Ctrl-C again to leave, or go on typing.');
    await chat.keyboard.type(keys.controlC);
    expect(await chat.exit).toBe(130);
    expect(chat.model.closedCount).toBe(1);
  });

  it('answers a SIGINT from elsewhere like Ctrl-C', async () => {
    const chat = new Conversation(() => ['half', { waitForAbort: true }]);
    await expect.poll(() => chat.screen.endsWith('> ')).toBe(true);
    await chat.keyboard.type(`Hi${keys.enter}`);
    await expect.poll(() => chat.screen.endsWith('half')).toBe(true);
    chat.context.interrupts.raise();
    await expect.poll(() => chat.screen.endsWith('> ')).toBe(true);
    chat.context.interrupts.raise();
    expect(await chat.exit).toBe(130);
  });

  it('throws typed text away at Ctrl-C, however often, without leaving', async () => {
    const chat = new Conversation(() => ['ok']);
    await expect.poll(() => chat.screen.endsWith('> ')).toBe(true);
    await chat.keyboard.type(`wrong${keys.controlC}`);
    await chat.keyboard.type(`wrong again${keys.controlC}`);
    await chat.say('right');
    expect(chat.model.calls.map((call) => call.prompt)).toEqual(['right']);
    await chat.leave();
  });

  it('goes on after an answer failed', async () => {
    const failure = createError('PROMPT_TOO_LONG', 'The prompt has 9000 tokens.');
    const chat = new Conversation((prompt) => (prompt === 'long' ? [failure] : ['fine']));
    await chat.say('long');
    expect(chat.notes).toContain('error: The prompt has 9000 tokens.');
    expect(chat.notes).toContain('code: PROMPT_TOO_LONG');
    await chat.say('short');
    expect(chat.screen).toContain('fine\n');
    expect(await chat.leave()).toBe(0);
  });

  it('begins anew with /reset, keeping the system message, and with /system, changing it', async () => {
    const chat = new Conversation(() => ['ok'], ['--system', 'First.']);
    await chat.say('one');
    await chat.say('/reset');
    await chat.say('/history');
    expect(chat.notes).toContain('system: First.\n');
    expect(chat.notes).not.toContain('user: one');
    await chat.say('/system Second.');
    await chat.say('two');
    expect(chat.model.calls.map((call) => call.system)).toEqual(['First.', 'Second.']);
    await chat.leave();
  });

  it('lists its commands, and helps with one that does not exist', async () => {
    const chat = new Conversation(() => ['ok']);
    await chat.say('/help');
    for (const name of ['/reset', '/history', '/system', '/save', '/exit']) {
      expect(chat.notes).toContain(name);
    }
    await chat.say('/nonsense');
    expect(chat.notes).toContain('There is no command /nonsense');
    await chat.say(' /nonsense');
    expect(chat.model.calls.map((call) => call.prompt)).toEqual([' /nonsense']);
    await chat.leave();
  });

  it('does not send blank lines', async () => {
    const chat = new Conversation(() => ['ok']);
    await chat.say('   ');
    expect(chat.model.calls).toEqual([]);
    await chat.leave();
  });
});

describe('saving a conversation', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'llama-native-chat-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('writes it as JSON with /save', async () => {
    const chat = new Conversation(() => ['答案']);
    const file = join(directory, 'talk.json');
    await chat.say('问题');
    await chat.say(`/save ${file}`);
    await expect.poll(() => chat.notes).toContain('Saved 2 messages');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      model: '/models/fake.gguf',
      messages: [
        { role: 'user', content: '问题' },
        { role: 'assistant', content: '答案' },
      ],
    });
    await chat.leave();
  });

  it('says why a file could not be written, and goes on', async () => {
    const chat = new Conversation(() => ['ok']);
    await chat.say(`/save ${join(directory, 'missing', 'talk.json')}`);
    await expect.poll(() => chat.notes).toContain('error: Cannot save');
    await chat.say('/save');
    expect(chat.notes).toContain('Expected a file name');
    await chat.leave();
  });
});

describe('chat through a pipe', () => {
  /** Pipes text into a chat. */
  async function pipe(input: string, script: Script, ...programArguments: string[]) {
    const model = new FakeModel(script);
    const context = createTestContext({ input, library: { loadModel: async () => asModel(model) } });
    const exitCode = await runCommandLine(['chat', 'm.gguf', ...programArguments], context);
    return { exitCode, model, output: context.outputStream.text, notes: context.notesStream.text };
  }

  it('answers each line, with no prompt and no statistics', async () => {
    const result = await pipe('one\ntwo\n', (prompt) => [`<${prompt}>`]);
    expect(result).toMatchObject({ exitCode: 0, output: '<one>\n<two>\n', notes: '' });
  });

  it('writes statistics with --verbose', async () => {
    expect((await pipe('one', () => ['x'], '--verbose')).notes).toContain('tokens/s');
  });

  it('prints one line of JSON for each answer with --json', async () => {
    const { output } = await pipe('one\ntwo', (prompt) => [prompt], '--json');
    const answers = output
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(answers).toMatchObject([{ text: 'one' }, { text: 'two', usage: { promptTokens: 12 } }]);
  });

  it('sends a message that the end of the input left open', async () => {
    expect((await pipe('"""\none\ntwo', (prompt) => [prompt])).output).toBe('one\ntwo\n');
  });

  it('stops with exit code 1 at the first answer that fails', async () => {
    const failure = createError('CONTEXT_FULL', 'No room.');
    const { exitCode, notes, model } = await pipe('one\ntwo\n', () => [failure]);
    expect(exitCode).toBe(1);
    expect(notes).toContain('error: No room.');
    expect(model.calls).toHaveLength(1);
    expect(model.closedCount).toBe(1);
  });
});
