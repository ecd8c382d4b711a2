import { describeValue, invalidArgument } from '../arguments.js';
import { createError, type LlamaNativeError } from '../errors.js';
import type { ChatContent, ChatMessage } from './types.js';

function checkContent(name: string, content: ChatContent): void {
  if (typeof content === 'string') return;
  if (!Array.isArray(content)) throw invalidArgument(name, 'a string or an array of parts', content);
  for (const part of content as readonly unknown[]) {
    const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
    if (type !== 'text') {
      const message = `Expected parts of type text in ${name}; received ${describeValue(type)}. Images and audio are not supported yet.`;
      throw createError('CONTENT_UNSUPPORTED', message, { details: { name, type } });
    }
    if (typeof text !== 'string') throw invalidArgument(`the text of a part of ${name}`, 'a string', text);
  }
}

function checkToolCalls(name: string, message: ChatMessage): void {
  const { toolCalls } = message;
  if (toolCalls === undefined) return;
  if (!Array.isArray(toolCalls))
    throw invalidArgument(name, 'an array of { id, name, arguments }', toolCalls);
  for (const call of toolCalls) {
    if (typeof call?.name !== 'string' || call.name === '' || typeof call.id !== 'string') {
      throw invalidArgument(name, 'calls of the form { id, name, arguments }', call);
    }
    toJsonText(`the arguments of ${name}`, call.arguments);
  }
}

function checkOptionalText(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw invalidArgument(name, 'a string', value);
}

/**
 * Checks that messages are what a template can render.
 * @throws InvalidArgumentError naming the message; ChatError CONTENT_UNSUPPORTED.
 */
export function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages)) throw invalidArgument('messages', 'an array of { role, content }', messages);
  messages.forEach((message: ChatMessage, index) => {
    const name = `messages[${index}]`;
    if (typeof message?.role !== 'string' || message.role === '') {
      throw invalidArgument(`${name}.role`, 'a role such as user or assistant', message?.role);
    }
    checkContent(`${name}.content`, message.content);
    checkToolCalls(`${name}.toolCalls`, message);
    checkOptionalText(`${name}.reasoning`, message.reasoning);
    checkOptionalText(`${name}.toolCallId`, message.toolCallId);
    checkOptionalText(`${name}.name`, message.name);
  });
}

const roles = ['system', 'user', 'assistant', 'tool'];

function outOfOrder(index: number, problem: string): LlamaNativeError {
  return createError('INVALID_MESSAGES', `messages[${index}] ${problem}`, { details: { index } });
}

/**
 * Checks that messages are a conversation: known roles, and each call of a tool answered once, before anything else is
 * said. The calls of the last message may be open.
 * @throws ChatError INVALID_MESSAGES, and what {@link checkMessages} throws.
 */
export function checkConversation(messages: readonly ChatMessage[]): void {
  checkMessages(messages);
  let open = new Set<string>();
  messages.forEach((message, index) => {
    if (!roles.includes(message.role)) {
      throw outOfOrder(
        index,
        `has the role ${describeValue(message.role)}; expected one of ${roles.join(', ')}.`,
      );
    }
    if (message.role === 'tool') {
      if (message.toolCallId === undefined || !open.delete(message.toolCallId)) {
        throw outOfOrder(
          index,
          `is the result of a call ${describeValue(message.toolCallId)} that the assistant's message before it does not ask for, or that is answered already. Expected toolCallId to be the id of an open call.`,
        );
      }
      return;
    }
    if (open.size > 0) {
      throw outOfOrder(
        index,
        `comes before the results of the calls ${[...open].join(', ')}. Expected a message of role tool for each.`,
      );
    }
    if (message.toolCalls !== undefined && message.role !== 'assistant') {
      throw outOfOrder(index, `has toolCalls, which only an assistant's message can have.`);
    }
    open = new Set(message.toolCalls?.map(({ id }) => id));
    if (open.size !== (message.toolCalls?.length ?? 0)) {
      throw outOfOrder(index, 'has two calls with one id. Expected a different id for each.');
    }
  });
}

/** Deeper values overflow the stack of what reads them. */
const deepestValue = 100;

/** How deep arrays and objects lie in each other; stops counting beyond the bound. */
function depthOf(value: unknown, bound: number): number {
  if (typeof value !== 'object' || value === null || bound < 0) return 0;
  let deepest = 0;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner, bound - 1));
  return deepest + 1;
}

/**
 * A value as JSON text.
 * @throws InvalidArgumentError for one that JSON cannot express, or that is nested more than 100 deep.
 */
export function toJsonText(name: string, value: unknown): string {
  if (depthOf(value, deepestValue) > deepestValue) {
    throw invalidArgument(name, `a value nested at most ${deepestValue} deep`, value);
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // A cycle, or a BigInt: said below.
  }
  if (text === undefined) throw invalidArgument(name, 'a value that JSON can express', value);
  return text;
}

/** The text of a message, its parts joined by line breaks as templates do. */
export function textOfContent(content: ChatContent): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('\n');
}
