import type { ChatPart, ChatResult, ToolCallPart } from '../../../index.js';
import type { EventStream } from '../../http/event-stream.js';
import { newItemId } from './identity.js';
import type { Item } from './items.js';
import {
  callItem,
  failed,
  finished,
  type ItemStatus,
  inProgress,
  messageItem,
  type ResponseHead,
  reasoningItem,
  textPart,
  wasCut,
} from './response.js';

/** An item that grows now. */
interface OpenItem {
  readonly kind: 'text' | 'reasoning' | 'call';
  readonly id: string;
  readonly index: number;
  /** What of its deltas comes before the number, which is followed by the text. */
  readonly prefix: string;
  readonly callId: string;
  readonly name: string;
  text: string;
}

const deltaNames = {
  text: 'response.output_text.delta',
  reasoning: 'response.reasoning_text.delta',
  call: 'response.function_call_arguments.delta',
};

const idPrefixes = { text: 'msg', reasoning: 'rs', call: 'fc' } as const;

/** The events of a response in OpenAI's order, each with its number. */
export class ResponseStream {
  /** The items that are done. */
  readonly output: Item[] = [];
  readonly #events: Pick<EventStream, 'write'>;
  readonly #head: ResponseHead;
  #number = 0;
  #open: OpenItem | undefined;

  constructor(events: Pick<EventStream, 'write'>, head: ResponseHead) {
    this.#events = events;
    this.#head = head;
  }

  /** Begins the response. */
  begin(): void {
    const response = inProgress(this.#head);
    this.#events.write(
      this.#event('response.created', { response }) + this.#event('response.in_progress', { response }),
    );
  }

  /** Sends what a part adds. Returns a promise where the reader has to be waited for. */
  add(part: ChatPart): Promise<void> | undefined {
    if (part.type === 'text' || part.type === 'reasoning') {
      const before =
        this.#open?.kind === part.type ? '' : this.#close('completed') + this.#openText(part.type);
      return this.#events.write(before + this.#delta(part.text));
    }
    return part.type === 'tool-call' ? this.#addCall(part) : undefined;
  }

  /** Ends the response. @returns the response. */
  finish(result: ChatResult, reasoningTokens: number): object {
    const closed = this.#close(wasCut(result) ? 'incomplete' : 'completed');
    const response = finished(this.#head, result, this.output, reasoningTokens);
    const name = wasCut(result) ? 'response.incomplete' : 'response.completed';
    this.#events.write(closed + this.#event(name, { response }));
    return response;
  }

  /** Ends the response with a failure. */
  fail(error: { readonly code: string; readonly message: string }): void {
    const closed = this.#close('incomplete');
    this.#events.write(
      closed + this.#event('response.failed', { response: failed(this.#head, error, this.output) }),
    );
  }

  #addCall({ id: callId, name, argumentsText }: ToolCallPart): Promise<void> | undefined {
    let events = '';
    if (this.#open?.kind !== 'call' || this.#open.callId !== callId) {
      // That a call is complete is only known when something follows it: the answer may end in the middle of one.
      events = this.#close('completed') + this.#start('call', callId, name);
    }
    const shown = this.#open?.text ?? '';
    if (argumentsText.length > shown.length && argumentsText.startsWith(shown)) {
      events += this.#delta(argumentsText.slice(shown.length));
    }
    return events === '' ? undefined : this.#events.write(events);
  }

  /** An event with its number. */
  #event(type: string, data: object): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#number++, ...data })}\n\n`;
  }

  #delta(text: string): string {
    const open = this.#open;
    if (open === undefined) return '';
    open.text += text;
    return `${open.prefix}${this.#number++},"delta":${JSON.stringify(text)}}\n\n`;
  }

  #start(kind: OpenItem['kind'], callId = '', name = ''): string {
    const id = newItemId(idPrefixes[kind]);
    const index = this.output.length;
    const place = `"item_id":"${id}","output_index":${index}${kind === 'call' ? '' : ',"content_index":0'}`;
    const more = kind === 'text' ? ',"logprobs":[]' : '';
    const type = deltaNames[kind];
    const prefix = `event: ${type}\ndata: {"type":"${type}",${place}${more},"sequence_number":`;
    this.#open = { kind, id, index, prefix, callId, name, text: '' };
    const item = this.#item(this.#open, 'in_progress');
    return this.#event('response.output_item.added', { output_index: index, item });
  }

  /** Begins an item that has a part of text. */
  #openText(kind: 'text' | 'reasoning'): string {
    const added = this.#start(kind);
    const { id = '', index = 0 } = this.#open ?? {};
    const part = kind === 'text' ? textPart('') : { type: 'reasoning_text', text: '' };
    const place = { item_id: id, output_index: index, content_index: 0 };
    return added + this.#event('response.content_part.added', { ...place, part });
  }

  /** Ends the item that is open, if one is. */
  #close(status: ItemStatus): string {
    const open = this.#open;
    if (open === undefined) return '';
    this.#open = undefined;
    const { kind, id, index, text, name } = open;
    const place = { item_id: id, output_index: index };
    const item = this.#item(open, status);
    this.output.push(item);
    const done = this.#doneEvents(kind, place, text, name);
    return done + this.#event('response.output_item.done', { output_index: index, item });
  }

  #doneEvents(kind: OpenItem['kind'], place: object, text: string, name: string): string {
    if (kind === 'call') {
      return this.#event('response.function_call_arguments.done', { ...place, name, arguments: text });
    }
    const inPart = { ...place, content_index: 0 };
    const isText = kind === 'text';
    const done = isText
      ? this.#event('response.output_text.done', { ...inPart, text, logprobs: [] })
      : this.#event('response.reasoning_text.done', { ...inPart, text });
    const part = isText ? textPart(text) : { type: 'reasoning_text', text };
    return done + this.#event('response.content_part.done', { ...inPart, part });
  }

  #item({ kind, id, text, callId, name }: OpenItem, status: ItemStatus): Item {
    const isNew = status === 'in_progress';
    if (kind === 'call') return callItem(id, status, { callId, name, argumentsText: text });
    return (kind === 'text' ? messageItem : reasoningItem)(id, status, isNew ? undefined : text);
  }
}
