import { computed, signal } from '@preact/signals';
import { createConversation, shownPath, toTitle } from '../conversation/tree.js';
import type { Conversation, ConversationSummary } from '../conversation/types.js';
import { t } from '../i18n/i18n.js';
import {
  type ConversationStore,
  mostConversations,
  openConversationStore,
  toSummary,
} from '../storage/conversation-store.js';
import { notify } from './notices.js';

/** All conversations, the one that changed last first. */
export const summaries = signal<readonly ConversationSummary[]>([]);
/** The one that is shown. It is in the list once it has a message. */
export const current = signal<Conversation>(newConversation());
/** What of it is shown. */
export const path = computed(() => shownPath(current.value));

/** Conversations that were changed here and are still in memory, so that answers may come while another is shown. */
const open = new Map<string, Conversation>();
let store: ConversationStore | undefined;
const tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('llama-native');

function newConversation(): Conversation {
  return createConversation(crypto.randomUUID?.() ?? randomId(), Date.now());
}

/** For pages that do not come from a secure origin, where there is no randomUUID. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}

/** Opens the store and shows what is in it; hears of other tabs. */
export async function openConversations(): Promise<void> {
  store = await openConversationStore();
  if (!store.isLasting) notify(t('notKept'));
  await refresh();
  tabs?.addEventListener('message', () => void refresh());
}

async function refresh(): Promise<void> {
  const found = (await store?.list()) ?? [];
  summaries.value = found.sort((one, other) => other.updatedMs - one.updatedMs);
}

/** Begins an empty conversation. */
export function startConversation(): void {
  if (path.peek().length > 0) current.value = newConversation();
}

/** Shows a conversation. */
export async function showConversation(id: string): Promise<void> {
  const found = await readConversation(id);
  if (found !== undefined) current.value = found;
}

/** A conversation as it is now. */
export async function readConversation(id: string): Promise<Conversation | undefined> {
  if (current.peek().id === id) return current.peek();
  return open.get(id) ?? (await store?.read(id));
}

/** Changes a conversation that is shown or in memory. Nothing is written yet. */
export function changeConversation(
  id: string,
  change: (before: Conversation) => Conversation,
): Conversation | undefined {
  const before = current.peek().id === id ? current.peek() : open.get(id);
  if (before === undefined) return undefined;
  const changed = change(before);
  open.set(id, changed);
  if (current.peek().id === id) current.value = changed;
  return changed;
}

/** Writes a conversation. Its title is its first message's until the user gives it one. */
export async function saveConversation(id: string, isOver = true): Promise<void> {
  const changed = changeConversation(id, (before) => ({
    ...before,
    title: titleOf(before),
    updatedMs: Date.now(),
  }));
  if (changed === undefined) return;
  if (isOver) open.delete(id);
  await write(changed);
}

function titleOf(conversation: Conversation): string {
  if (conversation.hasOwnTitle) return conversation.title;
  return toTitle(shownPath(conversation)[0]?.text ?? '') || conversation.title;
}

/** Puts a conversation into the store and the list. */
export async function write(conversation: Conversation): Promise<void> {
  const others = summaries.peek().filter(({ id }) => id !== conversation.id);
  const all = [toSummary(conversation), ...others].sort((one, other) => other.updatedMs - one.updatedMs);
  summaries.value = all.slice(0, mostConversations);
  const dropped = all.slice(mostConversations).map(({ id }) => id);
  try {
    await store?.write(conversation);
    if (dropped.length > 0) {
      await store?.remove(dropped);
      notify(t('oldestRemoved', { count: mostConversations }));
    }
    tabs?.postMessage('changed');
  } catch {
    notify(t('notSaved'), true);
  }
}

/** Gives a conversation a title that stays; an empty one takes it back to its first message's. */
export async function renameConversation(id: string, title: string): Promise<void> {
  const found = await readConversation(id);
  if (found === undefined) return;
  const named = { ...found, title: title.trim(), hasOwnTitle: title.trim() !== '' };
  const renamed = { ...named, title: titleOf(named) };
  if (open.has(id)) open.set(id, renamed);
  if (current.peek().id === id) current.value = renamed;
  await write(renamed);
}

/** Forgets conversations. */
export async function removeConversations(ids: readonly string[]): Promise<void> {
  for (const id of ids) open.delete(id);
  summaries.value = summaries.peek().filter(({ id }) => !ids.includes(id));
  if (ids.includes(current.peek().id)) current.value = newConversation();
  await store?.remove(ids);
  tabs?.postMessage('changed');
}
