import { writeFile } from 'node:fs/promises';
import type { Chat, ChatContent, GenerateOptions } from '../../index.js';
import { type CommandContext, exitCodes, writeJson, writeNote } from '../context.js';
import { describeFailure, UsageError, writeFailure } from '../failures.js';
import type { LoadedModel } from '../library.js';
import { withoutUndefined } from '../options.js';
import type { LineReader } from '../terminal/line-reader.js';
import { MessageAssembler } from '../terminal/message-assembler.js';
import { describeStatistics } from '../terminal/statistics.js';
import { type AnswerResult, streamAnswer } from '../terminal/stream-answer.js';
import { renderFacts } from '../terminal/table.js';
import { parseSlashCommand, type SlashCommand, slashCommands } from './slash-commands.js';

export interface ChatSessionOptions {
  readonly context: CommandContext;
  readonly model: LoadedModel;
  readonly reader: LineReader;
  readonly isInteractive: boolean;
  readonly system: string | undefined;
  readonly generateOptions: GenerateOptions;
  /** One JSON object per answer, on a line of its own, instead of streaming text. */
  readonly asJson: boolean;
  readonly showStatistics: boolean;
}

type PublicChat = Pick<Chat, 'send' | 'history' | 'reset'>;

/** A conversation at the terminal: reads messages, streams answers, and obeys the commands that begin with `/`. */
export class ChatSession {
  readonly #options: ChatSessionOptions;
  readonly #context: CommandContext;
  readonly #assembler = new MessageAssembler();
  #system: string | undefined;
  #chat: PublicChat;
  #isLeaving = false;
  /** Whether the last thing that happened was a Ctrl-C, so that the next one leaves. */
  #wasInterrupted = false;

  constructor(options: ChatSessionOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#system = options.system;
    this.#chat = this.#createChat();
  }

  /** Runs until the user leaves or the input ends; resolves to the exit code. */
  async run(): Promise<number> {
    const { reader } = this.#options;
    const colours = this.#context.output.colours;
    const prompt = colours.green('> ');
    const continuation = colours.dim('… ');
    for (;;) {
      const event = await reader.next(this.#assembler.isOpen ? continuation : prompt, continuation);
      if (event.kind === 'interrupt') {
        if (this.#isSecondInterrupt(event.discardedText)) {
          return exitCodes.interrupted;
        }
        this.#wasInterrupted = true;
        this.#assembler.reset();
        this.#note('Press Ctrl-C again to leave, or go on typing.');
        continue;
      }
      this.#wasInterrupted = false;
      if (event.kind === 'end') {
        this.#endPromptLine();
        await this.#takeMessage(this.#assembler.end() ?? '');
        return this.#context.exitCode;
      }
      const assembled = this.#assembler.push(event.text);
      if (assembled.kind === 'message') {
        await this.#takeMessage(assembled.text);
      }
      if (this.#isLeaving) {
        return this.#context.exitCode;
      }
    }
  }

  /** Ctrl-C on typed text only throws that away, however often. */
  #isSecondInterrupt(discardedText: boolean): boolean {
    if (!this.#options.isInteractive) {
      return true;
    }
    return this.#wasInterrupted && !discardedText && !this.#assembler.isOpen;
  }

  /** Ctrl-D leaves the cursor behind the prompt. */
  #endPromptLine(): void {
    if (this.#options.isInteractive) {
      this.#context.notes.write('\n');
    }
  }

  async #takeMessage(message: string): Promise<void> {
    if (message.trim() === '') {
      return;
    }
    const command = parseSlashCommand(message);
    await (command === undefined ? this.#answer(message) : this.#obey(command));
  }

  async #answer(message: string): Promise<void> {
    const stop = new AbortController();
    const { reader, asJson, generateOptions } = this.#options;
    reader.onInterrupt = () => stop.abort();
    const signal = AbortSignal.any([stop.signal, this.#context.interrupts.signal]);
    try {
      const generation = this.#chat.send(message, { ...generateOptions, signal });
      const result = await streamAnswer(generation, asJson ? undefined : this.#context.output);
      this.#reportResult(result, asJson);
    } catch (error) {
      this.#fail(error);
      if (stop.signal.aborted) {
        this.#wasInterrupted = true;
        this.#note('Stopped. Press Ctrl-C again to leave, or go on typing.');
      }
    } finally {
      reader.onInterrupt = undefined;
    }
  }

  #reportResult(result: AnswerResult, asJson: boolean): void {
    if (asJson) {
      const { text, reasoning, finishReason, usage, timings } = result;
      const thought = reasoning ? { reasoning } : {};
      writeJson(this.#context, { text, ...thought, finishReason, usage, timings }, 0);
    }
    if (this.#options.showStatistics) {
      const reason = result.finishReason === 'length' ? ' · cut off: no room or --max-tokens reached' : '';
      writeNote(this.#context, describeStatistics(result) + reason);
    }
    if (this.#options.isInteractive) {
      this.#context.notes.write('\n');
    }
  }

  /** A person can go on after a failed answer; a script must be told. */
  #fail(error: unknown): void {
    if (!this.#options.isInteractive) {
      throw error;
    }
    const failure = describeFailure(error);
    if (failure.code !== 'ABORTED') {
      writeFailure(this.#context, failure);
    }
  }

  async #obey({ name, argument }: SlashCommand): Promise<void> {
    switch (name) {
      case 'help':
        this.#showHelp();
        break;
      case 'reset':
      case 'new':
        this.#chat.reset();
        this.#note('A new conversation.');
        break;
      case 'history':
        this.#showHistory();
        break;
      case 'system':
        this.#changeSystem(argument);
        break;
      case 'save':
        await this.#save(argument);
        break;
      case 'exit':
      case 'quit':
        this.#isLeaving = true;
        break;
      default:
        this.#note(`There is no command /${name}; /help lists them. Begin with a space to send it as text.`);
    }
  }

  #showHelp(): void {
    const { notes } = this.#context;
    notes.write(renderFacts(slashCommands, notes.colours.cyan));
    this.#note('A line that ends in \\ goes on in the next one; """ begins and ends a block of lines.');
    this.#note('Ctrl-C stops an answer.');
  }

  #showHistory(): void {
    const { notes } = this.#context;
    if (this.#chat.history.length === 0) {
      this.#note('Nothing has been said yet.');
    }
    for (const { role, content } of this.#chat.history) {
      notes.write(`${notes.colours.cyan(`${role}:`)} ${toText(content)}\n`);
    }
  }

  #changeSystem(text: string): void {
    if (text === '') {
      this.#note(this.#system === undefined ? 'There is no system message.' : this.#system);
      return;
    }
    this.#system = text;
    this.#chat = this.#createChat();
    this.#note('A new conversation with this system message.');
  }

  async #save(file: string): Promise<void> {
    if (file === '') {
      this.#note('Expected a file name: /save <file>');
      return;
    }
    const saved = { model: this.#options.model.path, messages: this.#chat.history };
    try {
      await writeFile(file, `${JSON.stringify(saved, null, 2)}\n`);
      this.#note(`Saved ${this.#chat.history.length} messages to ${file}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#fail(new UsageError(`Cannot save the conversation: ${reason}`));
    }
  }

  #createChat(): PublicChat {
    return this.#options.model.createChat(withoutUndefined({ system: this.#system }));
  }

  #note(text: string): void {
    writeNote(this.#context, text);
  }
}

function toText(content: ChatContent): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('\n');
}
