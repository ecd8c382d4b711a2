import { randomBytes } from 'node:crypto';
import type { NativeChatMessage } from '../native/addon.js';
import type { ChatPart, ToolCall } from './types.js';

type NativeToolCall = NativeChatMessage['toolCalls'][number];

/** Reads the beginning of an answer, or all of it. */
export type ParseAnswer = (text: string, isPartial: boolean) => Promise<NativeChatMessage>;

/** What an answer holds. */
export interface ReadAnswer {
  /** The whole of it, also what was there before it. */
  readonly content: string;
  readonly reasoning: string;
  /** What was added. */
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
}

const empty: NativeChatMessage = { content: '', reasoning: '', toolCalls: [] };

/** The value of JSON text; the text itself if it is none. No text at all is an empty object. */
export function parseArguments(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What is new in a text; nothing while the parser takes back something that it had read otherwise. */
function addition(before: string, now: string): string {
  return now.startsWith(before) ? now.slice(before.length) : '';
}

/** True if the answer goes on where the content does: nothing was left out, and nothing was put in. */
function endsAlike(text: string, content: string): boolean {
  return text.length < content.length ? content.endsWith(text) : text.endsWith(content);
}

/**
 * Turns the growing text of an answer into parts. Reading happens on another thread; text that arrives meanwhile is read
 * with the next turn, so a slow reader never falls behind. Where it is known that all that follows is content, it is
 * shown as it comes, and read once more at the end.
 */
export class AnswerReader {
  readonly #parse: ParseAnswer;
  readonly #emit: (part: ChatPart) => void;
  /** What was there before the answer, where one is continued. */
  #start = empty;
  #shown = empty;
  readonly #ids: string[] = [];
  readonly #complete = new Set<number>();
  readonly #isContentToEnd: boolean;
  /** What follows needs no reading. */
  #isVerbatim = false;
  #text = '';
  #read = 0;
  #reading: Promise<void> | undefined;

  /** @param isContentToEnd that content, once it has begun, goes on to the end; see {@link isContentToEnd}. */
  constructor(parse: ParseAnswer, emit: (part: ChatPart) => void, isContentToEnd = false) {
    this.#parse = parse;
    this.#emit = emit;
    this.#isContentToEnd = isContentToEnd;
  }

  /** Takes what the answer begins with before anything was generated. */
  async begin(): Promise<void> {
    this.#start = await this.#parse('', true).catch(() => empty);
    this.#shown = this.#start;
  }

  /** Takes more text. */
  push(text: string): void {
    this.#text += text;
    if (this.#isVerbatim) this.#showVerbatim();
    else this.#reading ??= this.#readOn();
  }

  /** Reads the rest. `isPartial` if the answer was cut off. */
  async end(isPartial: boolean): Promise<ReadAnswer> {
    await this.#reading;
    const message = await this.#parse(this.#text, isPartial).catch((error: unknown) => {
      // What was shown until here is what can be told of a cut answer.
      if (isPartial) return this.#shown;
      throw error;
    });
    this.#show(message, true);
    return {
      content: message.content,
      reasoning: message.reasoning,
      text: addition(this.#start.content, message.content),
      toolCalls: message.toolCalls.map((call, index) => ({
        id: this.#idOf(index, call.id),
        name: call.name,
        arguments: parseArguments(call.arguments),
      })),
    };
  }

  async #readOn(): Promise<void> {
    while (this.#read < this.#text.length) {
      this.#read = this.#text.length;
      // A beginning that cannot be read yet is read again with more text.
      const message = await this.#parse(this.#text, true).catch(() => undefined);
      if (message !== undefined) this.#takePartial(message);
    }
    this.#reading = undefined;
  }

  /** @param message what was read of the text up to `#read`; more may have come since. */
  #takePartial(message: NativeChatMessage): void {
    this.#show(message, false);
    const { content, toolCalls } = message;
    this.#isVerbatim =
      this.#isContentToEnd &&
      content.length > this.#start.content.length &&
      toolCalls.length === 0 &&
      this.#shown.content === content &&
      endsAlike(this.#text.slice(0, this.#read), content);
    if (this.#isVerbatim) this.#showVerbatim();
  }

  #showVerbatim(): void {
    const text = this.#text.slice(this.#read);
    this.#read = this.#text.length;
    if (text === '') return;
    this.#shown = { ...this.#shown, content: this.#shown.content + text };
    this.#emit({ type: 'text', text });
  }

  #show(message: NativeChatMessage, isWhole: boolean): void {
    const reasoning = addition(this.#shown.reasoning, message.reasoning);
    if (reasoning !== '') this.#emit({ type: 'reasoning', text: reasoning });
    const text = addition(this.#shown.content, message.content);
    if (text !== '') this.#emit({ type: 'text', text });
    const last = message.toolCalls.length - 1;
    const calls = message.toolCalls.map((call, index) =>
      this.#showCall(call, index, isWhole || index < last),
    );
    this.#shown = {
      content: text === '' ? this.#shown.content : message.content,
      reasoning: reasoning === '' ? this.#shown.reasoning : message.reasoning,
      toolCalls: calls,
    };
  }

  /** Emits what is new in a call; returns it as it has been shown. */
  #showCall(call: NativeToolCall, index: number, isWhole: boolean): NativeToolCall {
    const shown = this.#shown.toolCalls[index];
    const { name, arguments: argumentsText } = call;
    // A name, and the id before it, may still grow as long as no arguments have begun.
    if (!isWhole && (name === '' || argumentsText === '')) return { ...call, arguments: '' };
    const part = { type: 'tool-call', id: this.#idOf(index, call.id), name, argumentsText } as const;
    if (isWhole) {
      if (!this.#complete.has(index))
        this.#emit({ ...part, complete: true, arguments: parseArguments(argumentsText) });
      this.#complete.add(index);
      return call;
    }
    if (addition(shown?.arguments ?? '', argumentsText) === '') return shown ?? call;
    this.#emit({ ...part, complete: false });
    return call;
  }

  /** The model's own id, or a new one where its format has none or it used one twice. */
  #idOf(index: number, given: string): string {
    this.#ids[index] ??= given === '' || this.#ids.includes(given) ? newCallId() : given;
    return this.#ids[index];
  }
}

/** Nine letters and digits: the form that the templates of Mistral ask for. */
function newCallId(): string {
  return randomBytes(16)
    .toString('base64')
    .replace(/[^a-zA-Z0-9]/g, '')
    .slice(0, 9)
    .padEnd(9, '0');
}
