import { createError } from '../errors.js';
import { checkMessages } from './check-messages.js';
import type { ChatMessage } from './types.js';

/** A conversation as plain data; see {@link Chat.toJSON}. */
export interface ChatJson {
  readonly version: 1;
  /** Messages that `reset` goes back to. */
  readonly first: readonly ChatMessage[];
  readonly history: readonly ChatMessage[];
}

/**
 * Reads what {@link Chat.toJSON} gave, as an object or as its text.
 * @throws ContextError STATE_INVALID.
 */
export function readChatJson(json: unknown): ChatJson {
  try {
    const value = (typeof json === 'string' ? JSON.parse(json) : json) as Partial<ChatJson> | null;
    if (value?.version !== 1) throw new TypeError('its version is not 1');
    const { first = [], history = [] } = value;
    checkMessages(first);
    checkMessages(history);
    return { version: 1, first, history };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `Expected what toJSON() of a chat gives; received something else: ${reason}. Begin a new conversation, or give other data.`;
    throw createError('STATE_INVALID', message, { cause: error });
  }
}
