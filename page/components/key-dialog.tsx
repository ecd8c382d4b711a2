import { useState } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { apiKey, connection, isKeyKept, useKey } from '../state/server.js';
import { isKeyOpen } from '../state/view.js';
import { Dialog } from './dialog.js';

/** Asks for the key of a server that wants one. */
export function KeyDialog() {
  const [text, setText] = useState(apiKey.peek());
  const [isKept, setKept] = useState(isKeyKept);
  const [isRefused, setRefused] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    await useKey(text.trim(), isKept);
    setRefused(connection.peek() === 'key-needed');
    if (connection.peek() !== 'key-needed') isKeyOpen.value = false;
  };
  return (
    <Dialog title={t('apiKey')} onClose={() => (isKeyOpen.value = false)}>
      <form class="form" onSubmit={submit}>
        <p id="key-help">{t('keyHelp')}</p>
        <input
          type="password"
          aria-label={t('apiKey')}
          aria-describedby={isRefused ? 'key-refused' : 'key-help'}
          aria-invalid={isRefused}
          autocomplete="current-password"
          spellcheck={false}
          // A dialog puts the keyboard where it is used.
          autoFocus
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {isRefused && (
          <p id="key-refused" class="problem" role="alert">
            {t('keyRefused')}
          </p>
        )}
        <label class="check">
          <input
            type="checkbox"
            checked={isKept}
            onChange={(event) => setKept(event.currentTarget.checked)}
          />
          {t('keepKey')}
        </label>
        <div class="dialog-actions">
          <button type="submit" class="button primary">
            {t('save')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
