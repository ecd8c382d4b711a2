import type { Conversation, Message } from './types.js';

/** A message that has no place yet. */
export type NewMessage = Omit<Message, 'children' | 'selected'>;

/** Which version of how many a message is. */
export interface Versions {
  readonly ids: readonly string[];
  readonly index: number;
}

/** A conversation without messages. */
export function createConversation(id: string, nowMs: number): Conversation {
  return { id, title: '', hasOwnTitle: false, createdMs: nowMs, updatedMs: nowMs, messages: {}, first: [] };
}

/** The messages that are shown, from the first to the last. */
export function shownPath(conversation: Conversation): Message[] {
  const path: Message[] = [];
  let id = conversation.selected;
  while (id !== undefined) {
    const message: Message | undefined = conversation.messages[id];
    if (message === undefined) break;
    path.push(message);
    id = message.selected;
  }
  return path;
}

/** The messages from the first one up to this one. */
export function pathTo(conversation: Conversation, id: string): Message[] {
  const path: Message[] = [];
  let message = conversation.messages[id];
  while (message !== undefined) {
    path.push(message);
    message = message.parent === undefined ? undefined : conversation.messages[message.parent];
  }
  return path.reverse();
}

/** A message and what stands at its place instead of it. */
export function versionsOf(conversation: Conversation, id: string): Versions {
  const ids = siblings(conversation, conversation.messages[id]?.parent);
  return { ids, index: ids.indexOf(id) };
}

/** Puts a message below its parent, as one more version of what is there, and shows it. */
export function appendMessage(conversation: Conversation, message: NewMessage): Conversation {
  const added: Message = { ...message, children: [] };
  const messages = { ...conversation.messages, [added.id]: added };
  const ids = [...siblings(conversation, added.parent), added.id];
  return withChildren({ ...conversation, messages }, added.parent, ids, added.id);
}

/** Changes fields of a message, if it is there. */
export function updateMessage(
  conversation: Conversation,
  id: string,
  change: Partial<NewMessage>,
): Conversation {
  const message = conversation.messages[id];
  if (message === undefined) return conversation;
  return { ...conversation, messages: { ...conversation.messages, [id]: { ...message, ...change } } };
}

/** Shows this version of a message, and of what follows it the one that was shown last. */
export function selectVersion(conversation: Conversation, id: string): Conversation {
  const message = conversation.messages[id];
  if (message === undefined) return conversation;
  return withChildren(conversation, message.parent, siblings(conversation, message.parent), id);
}

/** Takes a version of a message away, with all that follows it. The version before it is shown, or else the next. */
export function removeMessage(conversation: Conversation, id: string): Conversation {
  const message = conversation.messages[id];
  if (message === undefined) return conversation;
  const messages = { ...conversation.messages };
  for (const gone of withDescendants(conversation, id)) delete messages[gone];
  const before = siblings(conversation, message.parent);
  const ids = before.filter((other) => other !== id);
  const neighbour = ids[Math.max(0, before.indexOf(id) - 1)];
  return withChildren({ ...conversation, messages }, message.parent, ids, neighbour);
}

/** A title made of the first line of a text, cut between whole characters. */
export function toTitle(text: string, longest = 60): string {
  const line = text.trim().split('\n', 1)[0]?.trim() ?? '';
  const characters = [...new Intl.Segmenter().segment(line)].map(({ segment }) => segment);
  return characters.length <= longest
    ? line
    : `${characters
        .slice(0, longest - 1)
        .join('')
        .trimEnd()}…`;
}

function siblings(conversation: Conversation, parent: string | undefined): readonly string[] {
  return parent === undefined ? conversation.first : (conversation.messages[parent]?.children ?? []);
}

function withDescendants(conversation: Conversation, id: string): string[] {
  const found = [id];
  for (const next of found) found.push(...(conversation.messages[next]?.children ?? []));
  return found;
}

function withChildren(
  conversation: Conversation,
  parent: string | undefined,
  ids: readonly string[],
  selected: string | undefined,
): Conversation {
  const choice = selected === undefined ? {} : { selected };
  if (parent === undefined) {
    const { selected: _before, ...rest } = conversation;
    return { ...rest, first: ids, ...choice };
  }
  const owner = conversation.messages[parent];
  if (owner === undefined) return conversation;
  const { selected: _before, ...rest } = owner;
  const changed: Message = { ...rest, children: ids, ...choice };
  return { ...conversation, messages: { ...conversation.messages, [parent]: changed } };
}
