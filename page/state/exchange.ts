import { fromExchangeText, ImportFailure, toExchangeText } from '../conversation/exchange.js';
import type { Conversation } from '../conversation/types.js';
import { t } from '../i18n/i18n.js';
import { mostConversations } from '../storage/conversation-store.js';
import { randomId, readConversation, summaries, write } from './conversations.js';
import { notify } from './notices.js';

/** Larger files are not read. */
const largestBytes = 64 * 1024 * 1024;

function offer(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function fileName(conversations: readonly Conversation[]): string {
  const [only] = conversations;
  const plain = only?.title
    .replaceAll(/[\\/:*?"<>|\p{Cc}]/gu, ' ')
    .trim()
    .slice(0, 60);
  const date = new Date().toISOString().slice(0, 10);
  return conversations.length === 1 && plain ? `${plain}.json` : `llama-native-${date}.json`;
}

/** Offers conversations as a file. */
export async function exportConversations(ids: readonly string[]): Promise<void> {
  const found = await Promise.all(ids.map(readConversation));
  const conversations = found.filter((conversation) => conversation !== undefined);
  offer(toExchangeText(conversations), fileName(conversations));
}

/** Takes conversations in from a file. One that is here already and did not change is left alone. */
export async function importConversations(file: File): Promise<void> {
  if (file.size > largestBytes) return notify(t('importTooLarge'), true);
  try {
    const known = new Map(summaries.peek().map(({ id, updatedMs }) => [id, updatedMs]));
    const found = fromExchangeText(await file.text()).slice(0, mostConversations);
    const added = found.filter(({ id, updatedMs }) => known.get(id) !== updatedMs);
    for (const conversation of added) {
      await write(known.has(conversation.id) ? { ...conversation, id: randomId() } : conversation);
    }
    notify(t('imported', { count: added.length }));
  } catch (error) {
    const reason = error instanceof ImportFailure ? error.reason : 'notJson';
    notify(t(`import_${reason}`), true);
  }
}
