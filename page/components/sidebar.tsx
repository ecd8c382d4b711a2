import { useSignal } from '@preact/signals';
import type { ConversationSummary } from '../conversation/types.js';
import { dayGroup } from '../i18n/format.js';
import { t } from '../i18n/i18n.js';
import { showConversation, startConversation, summaries } from '../state/conversations.js';
import { isDrawerOpen, view } from '../state/view.js';
import { focusComposer } from './composer.js';
import { ConversationItem } from './conversation-item.js';
import { IconButton } from './icon-button.js';
import { Icon } from './icons.js';
import { Logo } from './logo.js';

/** Begins a conversation and shows it. */
export function newChat(): void {
  startConversation();
  view.value = 'chat';
  isDrawerOpen.value = false;
  requestAnimationFrame(focusComposer);
}

function show(id: string): void {
  view.value = 'chat';
  isDrawerOpen.value = false;
  void showConversation(id);
}

/** Conversations by day, in their order. */
function groups(found: readonly ConversationSummary[]): [string, ConversationSummary[]][] {
  const byDay = new Map<string, ConversationSummary[]>();
  for (const summary of found) {
    const day = t(dayGroup(summary.updatedMs, Date.now()));
    byDay.set(day, [...(byDay.get(day) ?? []), summary]);
  }
  return [...byDay];
}

/** The conversations that the browser keeps. */
export function Sidebar() {
  const query = useSignal('');
  const wanted = query.value.trim().toLowerCase();
  const found = summaries.value.filter(({ title }) => title.toLowerCase().includes(wanted));
  return (
    <nav class={`sidebar ${isDrawerOpen.value ? 'is-open' : ''}`} aria-label={t('conversations')}>
      <div class="brand">
        <Logo />
        <span>llama-native</span>
        <IconButton
          class="drawer-close"
          icon="close"
          label={t('closeMenu')}
          onClick={() => (isDrawerOpen.value = false)}
        />
      </div>
      <button type="button" class="button new-chat" onClick={newChat}>
        <Icon name="plus" />
        {t('newChat')}
      </button>
      <label class="search">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          placeholder={t('search')}
          aria-label={t('search')}
          value={query.value}
          onInput={(event) => (query.value = event.currentTarget.value)}
        />
      </label>
      <div class="conversation-list">
        {groups(found).map(([day, members]) => (
          <section key={day}>
            <h2>{day}</h2>
            <ul>
              {members.map((summary) => (
                <ConversationItem key={summary.id} summary={summary} onShow={show} />
              ))}
            </ul>
          </section>
        ))}
        {found.length === 0 && (
          <p class="empty">{wanted === '' ? t('noConversations') : t('nothingFound')}</p>
        )}
      </div>
    </nav>
  );
}
