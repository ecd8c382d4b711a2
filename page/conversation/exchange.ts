import type { Conversation, Message } from './types.js';

/** What the page writes into a file and reads from one. */
interface ExchangeFile {
  readonly format: 'llama-native-conversations';
  readonly version: 1;
  readonly conversations: readonly Conversation[];
}

/** Why a file was not taken: one of the page's texts, with what fills it. */
export class ImportFailure extends Error {
  readonly reason: 'notJson' | 'otherFormat' | 'damaged';

  constructor(reason: ImportFailure['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Conversations as the text of a file. */
export function toExchangeText(conversations: readonly Conversation[]): string {
  const file: ExchangeFile = { format: 'llama-native-conversations', version: 1, conversations };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/**
 * Reads conversations from the text of a file. Trusts nothing in it: what is unknown is left out, and a tree that does
 * not hold together is refused.
 * @throws ImportFailure
 */
export function fromExchangeText(text: string): Conversation[] {
  const file = parse(text);
  if (!isRecord(file) || file.format !== 'llama-native-conversations' || !Array.isArray(file.conversations)) {
    throw new ImportFailure('otherFormat', 'The file holds no conversations of this page.');
  }
  return file.conversations.map(toConversation);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ImportFailure('notJson', 'The file is not JSON.');
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(what: string): ImportFailure {
  return new ImportFailure('damaged', `The file is damaged: ${what}.`);
}

function textOf(record: Record<string, unknown>, name: string): string {
  const value = record[name];
  if (typeof value !== 'string') throw damaged(`${name} is not a text`);
  return value;
}

function timeOf(record: Record<string, unknown>, name: string): number {
  const value = record[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) throw damaged(`${name} is not a time`);
  return value;
}

function idsOf(record: Record<string, unknown>, name: string): string[] {
  const value = record[name];
  if (!Array.isArray(value) || value.some((id) => typeof id !== 'string')) {
    throw damaged(`${name} is not a list of messages`);
  }
  if (new Set(value).size !== value.length) throw damaged(`${name} names a message twice`);
  return value;
}

/** Fields that may be missing, and are left out where they are of the wrong type. */
function pick(record: Record<string, unknown>, type: string, names: readonly string[]): object {
  return Object.fromEntries(
    names.filter((name) => typeof record[name] === type).map((name) => [name, record[name]]),
  );
}

function toMessage(id: string, value: unknown): Message {
  if (!isRecord(value)) throw damaged('a message is not an object');
  const role = value.role;
  if (role !== 'user' && role !== 'assistant') throw damaged('a message has no role');
  const children = idsOf(value, 'children');
  const end = ['complete', 'length', 'stopped', 'failed'].find((known) => known === value.end);
  const { figures, failure } = value;
  return {
    ...pick(value, 'string', ['parent', 'reasoning', 'model']),
    ...pick(value, 'number', ['reasoningMs']),
    ...pick(value, 'boolean', ['isJson']),
    ...(end !== undefined && { end: end as NonNullable<Message['end']> }),
    ...(isRecord(figures) && { figures: pick(figures, 'number', figureNames) }),
    ...(isRecord(failure) && { failure: { message: textOf(failure, 'message') } }),
    ...(typeof value.selected === 'string' &&
      children.includes(value.selected) && { selected: value.selected }),
    id,
    role,
    text: textOf(value, 'text'),
    createdMs: timeOf(value, 'createdMs'),
    children,
  };
}

const figureNames = [
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'firstTokenMs',
  'totalMs',
  'tokensPerSecond',
];

function toConversation(value: unknown): Conversation {
  if (!isRecord(value) || !isRecord(value.messages)) throw damaged('a conversation has no messages');
  const messages = Object.fromEntries(
    Object.entries(value.messages).map(([id, message]) => [id, toMessage(id, message)]),
  );
  const first = idsOf(value, 'first');
  checkTree(messages, first);
  return {
    id: textOf(value, 'id'),
    title: textOf(value, 'title'),
    hasOwnTitle: value.hasOwnTitle === true,
    createdMs: timeOf(value, 'createdMs'),
    updatedMs: timeOf(value, 'updatedMs'),
    messages,
    first,
    ...(typeof value.selected === 'string' && first.includes(value.selected) && { selected: value.selected }),
  };
}

/** Each message is reached once from the first ones, from the parent that it names. */
function checkTree(messages: Readonly<Record<string, Message>>, first: readonly string[]): void {
  const seen = new Set<string>();
  const waiting: [string, string | undefined][] = first.map((id) => [id, undefined]);
  for (const [id, parent] of waiting) {
    const message = Object.hasOwn(messages, id) ? messages[id] : undefined;
    if (message === undefined) throw damaged('a message is missing');
    if (seen.has(id) || message.parent !== parent) throw damaged('its messages form no tree');
    seen.add(id);
    for (const child of message.children) waiting.push([child, id]);
  }
  if (seen.size !== Object.keys(messages).length) throw damaged('a message belongs nowhere');
}
