import type { ChatPart, ChatResult, PromptUsage, ToolCallPart } from '../../index.js';
import type { EventStream } from '../http/event-stream.js';
import { type AnswerHead, thoughtSignature, toEnding, toMessage, toPromptUsage, toUsage } from './answer.js';

/** An event, as it is sent. */
function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
}

/** What of a delta comes before its text, which is all that changes from one to the next. */
function deltaPrefix(index: number, type: string, field: string): string {
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":"${type}","${field}":`;
}

/** A call that is being written. */
interface OpenCall {
  readonly index: number;
  readonly prefix: string;
  /** Its arguments, as far as they were sent. */
  sent: string;
}

/** The events of an answer in Anthropic's order: a message that begins, blocks that begin, grow and end, and its end. */
export class MessageStream {
  readonly #events: EventStream;
  readonly #head: AnswerHead;
  #blocks = 0;
  /** The block of text or thinking that grows now. */
  #open: { readonly kind: 'text' | 'reasoning'; readonly index: number; readonly prefix: string } | undefined;
  readonly #calls = new Map<string, OpenCall>();

  constructor(events: EventStream, head: AnswerHead) {
    this.#events = events;
    this.#head = head;
  }

  /** Begins the message. */
  begin(prompt: PromptUsage): void {
    const usage = { ...toPromptUsage(prompt), output_tokens: 0 };
    this.#events.write(event('message_start', { message: toMessage(this.#head, { usage }) }));
  }

  /** Sends what a part adds. Returns a promise where the reader has to be waited for. */
  add(part: ChatPart): Promise<void> | undefined {
    if (part.type === 'text' || part.type === 'reasoning') return this.#addText(part.type, part.text);
    return part.type === 'tool-call' ? this.#addCall(part) : undefined;
  }

  /** Ends the message. */
  finish(result: ChatResult, thinkingTokens: number): void {
    const delta = { ...toEnding(result, this.#head), stop_details: null, container: null };
    const usage = toUsage(result.usage, thinkingTokens);
    const open = [...this.#calls.values()].map(({ index }) => this.#stop(index)).join('');
    this.#events.write(
      `${this.#endText()}${open}${event('message_delta', { delta, usage })}${event('message_stop', {})}`,
    );
  }

  #addText(kind: 'text' | 'reasoning', text: string): Promise<void> | undefined {
    let before = '';
    if (this.#open?.kind !== kind) before = this.#endText() + this.#startText(kind);
    if (kind === 'reasoning' && !this.#head.showsThinking) {
      return before === '' ? undefined : this.#events.write(before);
    }
    return this.#events.write(`${before}${this.#open?.prefix}${JSON.stringify(text)}}}\n\n`);
  }

  #startText(kind: 'text' | 'reasoning'): string {
    const isText = kind === 'text';
    const index = this.#blocks;
    const prefix = isText
      ? deltaPrefix(index, 'text_delta', 'text')
      : deltaPrefix(index, 'thinking_delta', 'thinking');
    this.#open = { kind, index, prefix };
    return this.#start(
      isText
        ? { type: 'text', text: '', citations: null }
        : { type: 'thinking', thinking: '', signature: '' },
    );
  }

  #endText(): string {
    if (this.#open === undefined) return '';
    const { kind, index } = this.#open;
    this.#open = undefined;
    const delta = { type: 'signature_delta', signature: thoughtSignature };
    return (kind === 'text' ? '' : event('content_block_delta', { index, delta })) + this.#stop(index);
  }

  #addCall({ id, name, argumentsText, complete }: ToolCallPart): Promise<void> | undefined {
    let events = this.#endText();
    let call = this.#calls.get(id);
    if (call === undefined) {
      const index = this.#blocks;
      call = { index, prefix: deltaPrefix(index, 'input_json_delta', 'partial_json'), sent: '' };
      this.#calls.set(id, call);
      events += this.#start({ type: 'tool_use', id, name, input: {}, caller: { type: 'direct' } });
    }
    if (argumentsText.length > call.sent.length && argumentsText.startsWith(call.sent)) {
      events += `${call.prefix}${JSON.stringify(argumentsText.slice(call.sent.length))}}}\n\n`;
      call.sent = argumentsText;
    }
    if (complete) {
      events += this.#stop(call.index);
      this.#calls.delete(id);
    }
    return events === '' ? undefined : this.#events.write(events);
  }

  /** Begins a block. A ping follows the first one, as in Anthropic's own streams. */
  #start(block: object): string {
    const index = this.#blocks++;
    const started = event('content_block_start', { index, content_block: block });
    return index === 0 ? started + event('ping', {}) : started;
  }

  #stop(index: number): string {
    return event('content_block_stop', { index });
  }
}
