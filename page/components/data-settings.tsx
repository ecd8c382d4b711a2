import { useRef } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { removeConversations, summaries } from '../state/conversations.js';
import { exportConversations, importConversations } from '../state/exchange.js';
import { running, stop } from '../state/generations.js';
import { mostConversations } from '../storage/conversation-store.js';
import { confirm } from './confirm-dialog.js';
import { Icon } from './icons.js';

async function removeAll(): Promise<void> {
  const ids = summaries.peek().map(({ id }) => id);
  if (!(await confirm({ question: t('deleteAllQuestion', { count: ids.length }), action: t('delete') })))
    return;
  for (const id of running.peek().keys()) stop(id);
  await removeConversations(ids);
}

/** Conversations out into a file, in from one, and away. */
export function DataSettings() {
  const picker = useRef<HTMLInputElement>(null);
  const isEmpty = summaries.value.length === 0;
  return (
    <section>
      <h3>{t('conversations')}</h3>
      <p class="help">{t('keptHere', { count: mostConversations })}</p>
      <div class="button-row">
        <button
          type="button"
          class="button"
          disabled={isEmpty}
          onClick={() => void exportConversations(summaries.peek().map(({ id }) => id))}
        >
          <Icon name="download" />
          {t('exportAll')}
        </button>
        <button type="button" class="button" onClick={() => picker.current?.click()}>
          <Icon name="upload" />
          {t('import')}
        </button>
        <button type="button" class="button danger" disabled={isEmpty} onClick={() => void removeAll()}>
          <Icon name="trash" />
          {t('deleteAll')}
        </button>
      </div>
      <input
        ref={picker}
        id="import-file"
        type="file"
        accept="application/json,.json"
        hidden
        onChange={async (event) => {
          const input = event.currentTarget;
          const [file] = input.files ?? [];
          if (file !== undefined) await importConversations(file);
          input.value = ''; // the same file may be chosen again
        }}
      />
    </section>
  );
}
