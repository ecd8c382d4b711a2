import { removeMessage } from '../conversation/tree.js';
import { t } from '../i18n/i18n.js';
import {
  changeConversation,
  current,
  removeConversations,
  saveConversation,
} from '../state/conversations.js';
import { confirm } from './confirm-dialog.js';

/** Takes a message and what follows it away, after asking; with the last one the conversation goes. */
export async function removeVersion(messageId: string): Promise<void> {
  const { id, messages } = current.peek();
  const hasMore = (messages[messageId]?.children.length ?? 0) > 0;
  const question = t(hasMore ? 'deleteMessageAndMore' : 'deleteMessageQuestion');
  if (!(await confirm({ question, action: t('delete') }))) return;
  const changed = changeConversation(id, (before) => removeMessage(before, messageId));
  if (changed?.first.length === 0) await removeConversations([id]);
  else await saveConversation(id, false);
}
