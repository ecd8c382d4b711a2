import { checkBoolean, checkString, invalidArgument } from '../arguments.js';
import { createError, LlamaNativeError } from '../errors.js';
import { checkGenerateOptions } from '../generate/check-options.js';
import type { GenerateOptions, Generation, GenerationResult } from '../generate/types.js';
import { checkMessages } from './render.js';
import type { ChatMessage, ChatTemplateOptions, RenderedChat } from './types.js';

/** Options of {@link Chat.send}. */
export interface ChatSendOptions extends Omit<GenerateOptions, 'addSpecial' | 'parseSpecial'> {
  /** Let a model that can think do so, where its template offers the choice. Default true. */
  enableThinking?: boolean;
}

/** Options of {@link Model.createChat}: defaults for every answer, and how the conversation begins. */
export interface ChatOptions extends Omit<ChatSendOptions, 'signal'> {
  /** The system prompt. Default: none, or the one the model's template brings. */
  system?: string;
  /** Messages that were exchanged before. Default: none. */
  history?: readonly ChatMessage[];
}

/** What a chat needs of its model. */
export interface ChatModel {
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions): Promise<RenderedChat>;
  saveChat(path: string, first: readonly ChatMessage[], history: readonly ChatMessage[]): Promise<void>;
  generatePrepared(
    prepared: Promise<{ prompt: string; stops: readonly string[] }>,
    options: GenerateOptions,
  ): Generation;
}

const onlyChatKeys = ['system', 'history', 'enableThinking'];

function withoutKeys(options: object, keys: readonly string[]): GenerateOptions {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !keys.includes(key)));
}

/**
 * A conversation that remembers. Each answer continues from what the KV cache already holds of the earlier ones.
 *
 * @example
 * ```ts
 * const chat = model.createChat({ system: 'You answer briefly.' });
 * for await (const chunk of chat.send('What is the capital of France?')) process.stdout.write(chunk.text);
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
    checkGenerateOptions(withoutKeys(options, onlyChatKeys));
    this.#model = model;
    this.#defaults = defaults;
    this.#first = first ?? (system === undefined ? [] : [{ role: 'system', content: system }]);
    this.#history = first === undefined ? [...this.#first, ...history] : [...history];
  }

  /** The messages so far, the system prompt first. */
  get history(): readonly ChatMessage[] {
    return [...this.#history];
  }

  /** Forgets everything but the system prompt. */
  reset(): void {
    if (this.#answering) throw busy();
    this.#history = [...this.#first];
  }

  /**
   * Writes the conversation to a file, together with the part of the KV cache that holds it, so that
   * {@link Model.restore} goes on without reading it again.
   * @throws ChatError BUSY while an answer is being made.
   */
  async save(path: string): Promise<void> {
    checkString('path', path);
    if (this.#answering) throw busy();
    await this.#model.saveChat(path, this.#first, this.#history);
  }

  /**
   * Sends a message of the user and streams the answer. When the answer ends, both are in the history; also what was
   * said until the loop was left or the signal fired. If it fails, the history is as before.
   * @throws ChatError BUSY while an answer is still being made.
   * @throws ChatError NO_CHAT_TEMPLATE, CHAT_TEMPLATE_FAILED, through iteration and `result`.
   * @throws ContextError PROMPT_TOO_LONG, through iteration and `result`, when the history has outgrown the context.
   */
  send(text: string, options: ChatSendOptions = {}): Generation {
    if (typeof text !== 'string') throw invalidArgument('text', 'a string', text);
    if (this.#answering) throw busy();
    const { enableThinking, ...generateOptions } = { ...this.#defaults, ...options };
    checkGenerateOptions(generateOptions);
    checkBoolean('enableThinking', enableThinking);
    const messages: ChatMessage[] = [...this.#history, { role: 'user', content: text }];
    const template = enableThinking === undefined ? {} : { enableThinking };
    this.#answering = true;
    const answer = this.#model.generatePrepared(
      this.#model.applyChatTemplate(messages, template),
      generateOptions,
    );
    this.#remember(answer, messages);
    return answer;
  }

  /** Writes the exchange into the history when it ends. */
  #remember(answer: Generation, messages: readonly ChatMessage[]): void {
    const record = (content: string) => {
      this.#history = [...messages, { role: 'assistant', content }];
    };
    answer.result.then(
      (result: GenerationResult) => {
        // An answer that was stopped before its first word leaves no trace; one that is empty by itself is an answer.
        if (result.text !== '' || result.finishReason !== 'cancelled') record(result.text);
        this.#answering = false;
      },
      (error: unknown) => {
        // What was said before the signal fired was heard, so it belongs to the conversation.
        if (LlamaNativeError.isInstance(error) && error.code === 'ABORTED')
          record(String(error.details.text ?? ''));
        this.#answering = false;
      },
    );
  }
}

function busy(): Error {
  return createError(
    'BUSY',
    'The chat is still answering. Wait for the answer, abort it, or use a second chat.',
  );
}
