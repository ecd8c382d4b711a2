import { useEffect, useRef, useState } from 'preact/hooks';
import type { ConversationSummary } from '../conversation/types.js';
import { t } from '../i18n/i18n.js';
import { current, removeConversations, renameConversation } from '../state/conversations.js';
import { exportConversations } from '../state/exchange.js';
import { running, stop } from '../state/generations.js';
import { view } from '../state/view.js';
import { confirm } from './confirm-dialog.js';
import { IconButton } from './icon-button.js';

function TitleEditor({ summary, onClose }: { summary: ConversationSummary; onClose: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => field.current?.select(), []);
  const close = (isMeant: boolean) => {
    if (isOver.current) return; // closing takes the focus away, which closes
    isOver.current = true;
    if (isMeant && field.current !== null) void renameConversation(summary.id, field.current.value);
    onClose();
  };
  return (
    <input
      ref={field}
      class="title-editor"
      aria-label={t('rename')}
      defaultValue={summary.title}
      maxLength={200}
      onBlur={() => close(true)}
      onKeyDown={(event) => {
        if (event.isComposing) return;
        if (event.key === 'Enter') close(true);
        if (event.key === 'Escape') {
          event.stopPropagation();
          close(false);
        }
      }}
    />
  );
}

async function remove({ id, title }: ConversationSummary): Promise<void> {
  if (!(await confirm({ question: t('deleteConversation', { title }), action: t('delete') }))) return;
  stop(id);
  await removeConversations([id]);
}

interface ConversationItemProps {
  summary: ConversationSummary;
  onShow: (id: string) => void;
}

/** A conversation in the list, with what one can do with it. */
export function ConversationItem({ summary, onShow }: ConversationItemProps) {
  const [isEdited, setEdited] = useState(false);
  const { id, title } = summary;
  const isShown = view.value === 'chat' && current.value.id === id;
  if (isEdited) {
    return (
      <li class="conversation">
        <TitleEditor summary={summary} onClose={() => setEdited(false)} />
      </li>
    );
  }
  return (
    <li class={`conversation ${isShown ? 'is-shown' : ''}`}>
      <button
        type="button"
        class="conversation-title"
        aria-current={isShown ? 'page' : undefined}
        onClick={() => onShow(id)}
      >
        {running.value.has(id) && <i class="busy" role="img" aria-label={t('answering')} />}
        <span>{title || t('untitled')}</span>
      </button>
      <div class="conversation-actions">
        <IconButton icon="pencil" label={t('renameOf', { title })} onClick={() => setEdited(true)} />
        <IconButton
          icon="download"
          label={t('exportOf', { title })}
          onClick={() => void exportConversations([id])}
        />
        <IconButton icon="trash" label={t('deleteOf', { title })} onClick={() => void remove(summary)} />
      </div>
    </li>
  );
}
