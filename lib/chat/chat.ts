import { checkInteger, checkString, invalidArgument } from '../arguments.js';
import { createError, LlamaNativeError } from '../errors.js';
import { type ChatSendOptions, type SortedOptions, sortOptions } from './answer-options.js';
import { checkConversation, checkMessages } from './check-messages.js';
import { fitMessages } from './overflow.js';
import { PartStream } from './part-stream.js';
import { AnswerRun } from './run-answer.js';
import { type ChatJson, readChatJson } from './saved-conversation.js';
import type { ChatHost } from './turn.js';
import type { ChatAnswer, ChatContent, ChatMessage, ChatResult } from './types.js';

/** Options of {@link Model.createChat}: defaults for every answer, and how the conversation begins. */
export interface ChatOptions extends Omit<ChatSendOptions, 'signal'> {
  /** The system prompt. Default: none, or the one the model's template brings. */
  system?: string;
  /** Messages that were exchanged before. Default: none. */
  history?: readonly ChatMessage[];
}

/** What a chat that can be saved to a file needs of its model. */
export interface ChatModel extends ChatHost {
  saveChat(path: string, first: readonly ChatMessage[], history: readonly ChatMessage[]): Promise<void>;
}

/** Begins an answer to a conversation. */
export function startAnswer(
  host: ChatHost,
  messages: readonly ChatMessage[],
  options: SortedOptions,
  onEnd: (run: AnswerRun, outcome: { result: ChatResult } | { error: unknown }) => void = () => {},
): ChatAnswer {
  const { render, generate, tools, overflow } = options;
  let running: AnswerRun | undefined;
  return new PartStream(
    async (emit) => {
      const run = new AnswerRun(
        {
          host,
          messages,
          render,
          generate,
          tools,
          ...(overflow !== 'error' && {
            makeRoom: (before, added) => {
              const prompt = { ...render, ...tools?.promptOptions(1) };
              const { maxTokens, signal } = generate;
              return fitMessages({ host, policy: overflow, prompt, maxTokens, signal }, before, added);
            },
          }),
        },
        emit,
      );
      running = run;
      try {
        const result = await run.run();
        onEnd(run, { result });
        return result;
      } catch (error) {
        onEnd(run, { error });
        throw error;
      }
    },
    () => running?.leave(),
  );
}

/**
 * A conversation that remembers. Each answer continues from what the KV cache already holds of the earlier ones.
 *
 * @example
 * ```ts
 * const chat = model.createChat({ system: 'You answer briefly.' });
 * for await (const part of chat.send('What is the capital of France?')) {
 *   if (part.type === 'text') process.stdout.write(part.text);
 * }
 * ```
 */
export class Chat {
  readonly #model: ChatModel;
  readonly #defaults: Omit<ChatOptions, 'system' | 'history'>;
  readonly #first: readonly ChatMessage[];
  #history: ChatMessage[];
  #answering = false;

  /** @internal */
  constructor(model: ChatModel, options: ChatOptions = {}, first?: readonly ChatMessage[]) {
    const { system, history = [], ...defaults } = options;
    checkString('system', system);
    checkMessages(history);
    sortOptions(defaults);
    this.#model = model;
    this.#defaults = defaults;
    this.#first = first ?? (system === undefined ? [] : [{ role: 'system', content: system }]);
    this.#history = first === undefined ? [...this.#first, ...history] : [...history];
  }

  /**
   * A chat from what {@link toJSON} gave, as an object or as its text.
   * @throws ContextError STATE_INVALID if it is something else.
   */
  static fromJSON(
    model: ChatModel,
    json: ChatJson | string,
    options: Omit<ChatOptions, 'system' | 'history'> = {},
  ): Chat {
    const { first, history } = readChatJson(json);
    return new Chat(model, { ...options, history }, first);
  }

  /** The messages so far, the system prompt first. */
  get history(): readonly ChatMessage[] {
    return [...this.#history];
  }

  /** Forgets everything but the system prompt. */
  reset(): void {
    this.#refuseWhileAnswering();
    this.#history = [...this.#first];
  }

  /** The conversation as plain data, for `JSON.stringify` and {@link Chat.fromJSON}; without the KV cache. */
  toJSON(): ChatJson {
    return { version: 1, first: this.#first, history: [...this.#history] };
  }

  /**
   * A second chat with the same past, which goes its own way. What both have in common is in the KV cache once.
   * @param options other defaults for its answers; those left out are as here.
   */
  fork(options: Omit<ChatOptions, 'system' | 'history'> = {}): Chat {
    const defaults = { ...this.#defaults, ...options };
    return new Chat(this.#model, { ...defaults, history: this.#history }, this.#first);
  }

  /**
   * Writes the conversation to a file, together with the part of the KV cache that holds it, so that
   * {@link Model.restore} goes on without reading it again.
   * @throws ChatError BUSY while an answer is being made.
   */
  async save(path: string): Promise<void> {
    checkString('path', path);
    this.#refuseWhileAnswering();
    await this.#model.saveChat(path, this.#first, this.#history);
  }

  /**
   * Sends a message of the user and streams the answer. When the answer ends, both are in the history; also what was
   * said until the loop was left or the signal fired. If it fails, the history is as before.
   * @param input what the user says; or messages, such as the results of calls that were handed to the caller.
   * @throws ChatError BUSY while an answer is still being made; INVALID_MESSAGES, CONTENT_UNSUPPORTED; ToolError.
   * @throws ChatError NO_CHAT_TEMPLATE, CHAT_TEMPLATE_FAILED, CHAT_OUTPUT_INVALID, through iteration and `result`.
   * @throws ContextError PROMPT_TOO_LONG, through iteration and `result`, when the history has outgrown the context.
   */
  send(input: ChatContent | readonly ChatMessage[], options: ChatSendOptions = {}): ChatAnswer {
    return this.#answer([...this.#history, ...toMessages(input)], options);
  }

  /**
   * Says something else in place of an earlier message, forgets what followed, and streams the answer.
   * @param index of a message of the user in `history`; negative ones count from its end.
   */
  edit(index: number, content: ChatContent, options: ChatSendOptions = {}): ChatAnswer {
    const count = this.#history.length;
    checkInteger('index', index, -count, count - 1);
    const kept = this.#history.slice(0, index < 0 ? count + index : index);
    const edited = this.#history.at(index);
    if (edited?.role !== 'user') throw invalidArgument('index', 'that of a message of the user', index);
    return this.#answer([...kept, { ...edited, content }], options);
  }

  /** Forgets the last answer and streams another one to the same message of the user. */
  regenerate(options: ChatSendOptions = {}): ChatAnswer {
    const last = this.#history.findLastIndex(({ role }) => role === 'user');
    return this.#answer(this.#history.slice(0, last + 1), options);
  }

  /** Goes on with the last answer, for instance one that `maxTokens` cut off, and streams what is added. */
  continue(options: ChatSendOptions = {}): ChatAnswer {
    const last = this.#history.at(-1);
    if (last?.role !== 'assistant' || last.toolCalls !== undefined) {
      const message = 'The last message is no answer that could go on. Use send().';
      throw createError('INVALID_MESSAGES', message, { details: { index: this.#history.length - 1 } });
    }
    return this.#answer([...this.#history], options);
  }

  #answer(messages: ChatMessage[], options: ChatSendOptions): ChatAnswer {
    this.#refuseWhileAnswering();
    const sorted = sortOptions({ ...this.#defaults, ...options });
    checkAnswerable(messages);
    this.#answering = true;
    return startAnswer(this.#model, messages, sorted, (run, outcome) => {
      this.#remember(run.before, outcome);
      this.#answering = false;
    });
  }

  /** Writes the exchange into the history when it ends. */
  #remember(before: readonly ChatMessage[], outcome: { result: ChatResult } | { error: unknown }): void {
    if ('result' in outcome) {
      const { messages, finishReason, text, reasoning } = outcome.result;
      // An answer that was stopped before its first word leaves no trace; one that is empty by itself is an answer.
      const isNothing = finishReason === 'cancelled' && messages.length === 1 && text + reasoning === '';
      if (!isNothing) this.#record(before, messages);
      return;
    }
    const { error } = outcome;
    if (LlamaNativeError.isInstance(error) && error.code === 'ABORTED') {
      const said = error.details.messages as readonly ChatMessage[];
      // The question was heard, also if nothing was answered yet.
      this.#record(before, said.length > 0 ? said : [{ role: 'assistant', content: '' }]);
    }
  }

  #record(before: readonly ChatMessage[], added: readonly ChatMessage[]): void {
    const isContinued = before.at(-1)?.role === 'assistant';
    this.#history = [...(isContinued ? before.slice(0, -1) : before), ...added];
  }

  #refuseWhileAnswering(): void {
    if (!this.#answering) return;
    const message = 'The chat is still answering. Wait for the answer, abort it, or use a second chat.';
    throw createError('BUSY', message);
  }
}

function isMessages(input: ChatContent | readonly ChatMessage[]): input is readonly ChatMessage[] {
  return (
    Array.isArray(input) && input.some((item) => typeof item === 'object' && item !== null && 'role' in item)
  );
}

function toMessages(input: ChatContent | readonly ChatMessage[]): readonly ChatMessage[] {
  if (typeof input !== 'string' && !Array.isArray(input))
    throw invalidArgument('input', 'a text, parts of text, or messages', input);
  return isMessages(input) ? input : [{ role: 'user', content: input }];
}

/**
 * Checks that a conversation can be answered.
 * @throws ChatError INVALID_MESSAGES if it is none, is empty, or ends with calls that nobody has answered.
 */
export function checkAnswerable(messages: readonly ChatMessage[]): void {
  checkConversation(messages);
  const last = messages.at(-1);
  if (last !== undefined && !last.toolCalls?.length) return;
  const problem =
    last === undefined
      ? 'There is no message to answer.'
      : 'The last message asks for calls. Add a message of role tool for each.';
  throw createError('INVALID_MESSAGES', problem, { details: { index: messages.length - 1 } });
}
