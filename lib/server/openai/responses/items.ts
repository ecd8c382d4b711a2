import type { ChatMessage, ToolCall } from '../../../index.js';
import { RequestError } from '../../failures.js';
import { type JsonObject, readArray, readObject, readText, unexpected } from '../checks.js';
import { parseArguments, readContent } from '../messages.js';
import { newItemId } from './identity.js';

/** An item of a conversation, as clients send it and as answers hold it. */
export type Item = JsonObject;

/** An item, and what a client calls it. */
export interface PlacedItem {
  readonly item: Item;
  /** Such as `input[2]`; items of earlier responses have the name of the field that brings them in. */
  readonly param: string;
}

const supported = 'message, reasoning, function_call, function_call_output or item_reference';

/** The error of an item that only OpenAI's own servers make something of. */
function unsupportedItem(param: string, type: unknown): RequestError {
  const message = `Expected an item of type ${supported} for ${param}.type; received ${JSON.stringify(type) ?? 'none'}.`;
  return new RequestError('invalid-request', 'unsupported_item', message, { param: `${param}.type` });
}

/** The kind of an item: a message may leave it out. */
function typeOf({ type, role }: Item): unknown {
  return type ?? (role === undefined ? undefined : 'message');
}

const idPrefixes = {
  message: 'msg',
  reasoning: 'rs',
  function_call: 'fc',
  function_call_output: 'fco',
} as const;

/**
 * The input of a request as items with an id each; a text is one message of the user.
 * @param find the item that a reference means.
 * @throws RequestError 400 naming the field.
 */
export function readInput(input: unknown, find: (id: string) => Item | undefined): PlacedItem[] {
  if (typeof input === 'string') {
    const content = [{ type: 'input_text', text: input }];
    const item = { id: newItemId('msg'), type: 'message', role: 'user', content };
    return [{ item, param: 'input' }];
  }
  return readArray(input, 'input', 'a string or an array of items').map((value, index) => {
    const param = `input[${index}]`;
    const item = readObject(value, param, 'an item, such as {"role":"user","content":"…"}');
    const type = typeOf(item);
    if (type === 'item_reference') return { item: findReferenced(item, param, find), param };
    if (typeof type !== 'string' || !Object.hasOwn(idPrefixes, type)) throw unsupportedItem(param, type);
    const id = item.id ?? newItemId(idPrefixes[type as keyof typeof idPrefixes]);
    return { item: { ...item, id, type }, param };
  });
}

function findReferenced(item: Item, param: string, find: (id: string) => Item | undefined): Item {
  const id = readText(item.id, `${param}.id`);
  const found = find(id);
  if (found !== undefined) return found;
  const message = `There is no item ${JSON.stringify(id)} (${param}.id). Items are kept with stored responses, for a time. Send the item itself.`;
  throw new RequestError('not-found', 'item_not_found', message, { param: `${param}.id` });
}

/** What the assistant says and asks for until someone else speaks. */
interface AssistantTurn {
  readonly texts: string[];
  readonly thoughts: string[];
  readonly calls: ToolCall[];
}

/** Turns items into messages: all that the assistant does in a row is one message, with the results of its calls behind. */
class MessageBuilder {
  readonly messages: ChatMessage[] = [];
  /** Results by the id of their call, wherever among the items they are. */
  readonly #results: Map<string, PlacedItem>;
  #turn: AssistantTurn | undefined;

  constructor(results: Map<string, PlacedItem>) {
    this.#results = results;
  }

  add(placed: PlacedItem): void {
    const { item, param } = placed;
    switch (item.type) {
      case 'message':
        this.#addMessage(item, param);
        return;
      case 'reasoning':
        this.#assistant().thoughts.push(textOfReasoning(item, param));
        return;
      case 'function_call':
        this.#addCall(item, param);
        return;
      case 'function_call_output':
        this.flush();
        return;
      default:
        throw unsupportedItem(param, item.type);
    }
  }

  /** Ends the turn of the assistant, with the results of its calls. */
  flush(): void {
    if (this.#turn === undefined) return;
    const { texts, thoughts, calls } = this.#turn;
    this.#turn = undefined;
    const reasoning = thoughts.join('');
    const content = texts.join('');
    if (content === '' && calls.length === 0) return; // thoughts alone say nothing
    this.messages.push({
      role: 'assistant',
      content,
      ...(reasoning !== '' && { reasoning }),
      ...(calls.length > 0 && { toolCalls: calls }),
    });
    for (const call of calls) this.messages.push(this.#takeResult(call));
  }

  #assistant(): AssistantTurn {
    this.#turn ??= { texts: [], thoughts: [], calls: [] };
    return this.#turn;
  }

  #addMessage({ role, content }: Item, param: string): void {
    const read = readContent(content, `${param}.content`);
    const text = typeof read === 'string' ? read : read.map((part) => part.text).join('');
    if (role === 'assistant') {
      this.#assistant().texts.push(text);
      return;
    }
    if (role !== 'user' && role !== 'system' && role !== 'developer') {
      throw unexpected(`${param}.role`, 'user, assistant, system or developer', role);
    }
    this.flush();
    this.messages.push({ role: role === 'developer' ? 'system' : role, content: read });
  }

  #addCall(item: Item, param: string): void {
    // It was cut off in the middle, and nobody answers it.
    if (item.status === 'incomplete') return;
    const id = readText(item.call_id, `${param}.call_id`);
    const { calls } = this.#assistant();
    if (calls.some((call) => call.id === id)) {
      throw unexpected(`${param}.call_id`, 'another id for each call', id);
    }
    const text = readText(item.arguments, `${param}.arguments`, 'JSON as a string');
    calls.push({ id, name: readText(item.name, `${param}.name`), arguments: parseArguments(text) });
  }

  #takeResult({ id, name }: ToolCall): ChatMessage {
    const placed = this.#results.get(id);
    if (placed === undefined) {
      const message = `There is no function_call_output for the function_call ${JSON.stringify(id)}. Send one for each call.`;
      throw new RequestError('invalid-request', 'invalid_value', message, { param: 'input' });
    }
    this.#results.delete(id);
    const { item, param } = placed;
    return { role: 'tool', content: readContent(item.output, `${param}.output`), toolCallId: id, name };
  }
}

function textOfReasoning({ content = null, summary = null }: Item, param: string): string {
  const said = content ?? [];
  const parts = readArray(said, `${param}.content`);
  const [from, name] =
    parts.length > 0 ? [parts, 'content'] : [readArray(summary ?? [], `${param}.summary`), 'summary'];
  return from
    .map((value, index) => {
      const place = `${param}.${name}[${index}]`;
      return readText(readObject(value, place).text, `${place}.text`);
    })
    .join('');
}

function resultsOf(items: readonly PlacedItem[]): Map<string, PlacedItem> {
  const results = new Map<string, PlacedItem>();
  for (const placed of items) {
    const { item, param } = placed;
    if (item.type !== 'function_call_output') continue;
    const id = readText(item.call_id, `${param}.call_id`);
    if (results.has(id)) throw unexpected(`${param}.call_id`, 'one output for each call', id);
    results.set(id, placed);
  }
  return results;
}

/**
 * The messages of a conversation.
 * @param instructions the system prompt of this request alone.
 * @throws RequestError 400 naming the field, also for calls without a result and results without a call.
 */
export function toMessages(
  items: readonly PlacedItem[],
  instructions: string | null | undefined,
): ChatMessage[] {
  const results = resultsOf(items);
  const builder = new MessageBuilder(results);
  for (const placed of items) builder.add(placed);
  builder.flush();
  const [left] = results.values();
  if (left !== undefined) {
    throw unexpected(`${left.param}.call_id`, 'the call_id of a function_call before it', left.item.call_id);
  }
  const { messages } = builder;
  if (messages.length === 0) throw unexpected('input', 'at least one message', items);
  if (instructions === undefined || instructions === null || instructions === '') return messages;
  return [{ role: 'system', content: instructions }, ...messages];
}
