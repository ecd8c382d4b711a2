import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { current, path } from '../state/conversations.js';
import { ask, runningHere, stop } from '../state/generations.js';
import { connection } from '../state/server.js';
import { areSettingsRight, changeSettings, settings } from '../state/settings.js';
import { areSettingsOpen } from '../state/view.js';
import { IconButton } from './icon-button.js';
import { Icon } from './icons.js';
import { isSendKey } from './send-key.js';

/** What is typed and not sent. */
export const draft = signal('');

/** Moves the keyboard to where one types. */
export function focusComposer(): void {
  document.querySelector<HTMLTextAreaElement>('#composer-text')?.focus();
}

function canSend(): boolean {
  const isReady = connection.value === 'ready' && runningHere.value === undefined;
  return isReady && areSettingsRight.value && draft.value.trim() !== '';
}

function send(): void {
  if (!canSend()) return;
  const text = draft.peek();
  draft.value = '';
  ask(text, path.peek().at(-1)?.id);
}

/** Says that answers are held to a format, and leads to where it is set. */
function FormatNote() {
  const { format } = settings.value;
  if (format === 'text') return null;
  const isWrong = !areSettingsRight.value;
  return (
    <div class={`format-note ${isWrong ? 'is-wrong' : ''}`}>
      <button type="button" onClick={() => (areSettingsOpen.value = true)}>
        <Icon name={isWrong ? 'warning' : 'braces'} />
        {isWrong ? t('schemaWrongShort') : t(format === 'json' ? 'formatJson' : 'formatSchema')}
      </button>
      <IconButton icon="close" label={t('formatOff')} onClick={() => changeSettings({ format: 'text' })} />
    </div>
  );
}

/** Where one types. Enter sends, Shift and Enter make a new line. */
export function Composer() {
  const field = useRef<HTMLTextAreaElement>(null);
  const isAnswering = runningHere.value !== undefined;
  const { id } = current.value;
  // Another conversation is what it depends on.
  useEffect(() => {
    // On a phone the keyboard would cover half of what was opened.
    if (matchMedia('(hover: hover)').matches) field.current?.focus();
  }, [id]);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <FormatNote />
      <div class="composer-box">
        <textarea
          id="composer-text"
          ref={field}
          class="growing"
          rows={1}
          placeholder={t('composerHint')}
          aria-label={t('message')}
          aria-describedby="composer-help"
          enterkeyhint="send"
          value={draft.value}
          onInput={(event) => (draft.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (!isSendKey(event)) return;
            event.preventDefault();
            send();
          }}
        />
        {isAnswering ? (
          <button
            type="button"
            class="round stop"
            aria-label={t('stop')}
            title={t('stop')}
            onClick={() => stop()}
          >
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" class="round" aria-label={t('send')} title={t('send')} disabled={!canSend()}>
            <Icon name="send" />
          </button>
        )}
      </div>
      <p id="composer-help" class="composer-help">
        {t('composerHelp')}
      </p>
    </form>
  );
}
