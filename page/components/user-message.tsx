import { useEffect, useRef, useState } from 'preact/hooks';
import type { Message } from '../conversation/types.js';
import { t } from '../i18n/i18n.js';
import { ask, runningHere } from '../state/generations.js';
import { areSettingsRight } from '../state/settings.js';
import { CopyButton } from './copy-button.js';
import { IconButton } from './icon-button.js';
import { removeVersion } from './remove-version.js';
import { isSendKey } from './send-key.js';
import { VersionSwitch } from './version-switch.js';

function Editor({ message, onClose }: { message: Message; onClose: () => void }) {
  const [text, setText] = useState(message.text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(message.text.length, message.text.length);
  }, [message]);
  const canSend = text.trim() !== '' && runningHere.value === undefined && areSettingsRight.value;
  const send = () => {
    if (!canSend) return;
    onClose();
    ask(text, message.parent);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (isSendKey(event)) {
      event.preventDefault();
      send();
    } else if (event.key === 'Escape' && !event.isComposing) {
      event.stopPropagation();
      onClose();
    }
  };
  return (
    <div class="editor">
      <textarea
        ref={field}
        class="growing"
        aria-label={t('editMessage')}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div class="editor-actions">
        <button type="button" class="button" onClick={onClose}>
          {t('cancel')}
        </button>
        <button type="button" class="button primary" disabled={!canSend} onClick={send}>
          {t('send')}
        </button>
      </div>
    </div>
  );
}

/** A message of the user, which may be edited: its other versions stay. */
export function UserMessage({ message }: { message: Message }) {
  const [isEdited, setEdited] = useState(false);
  const edit = useRef<HTMLDivElement>(null);
  const close = () => {
    setEdited(false);
    // The button that opened the editor comes back with the next drawing.
    requestAnimationFrame(() => edit.current?.querySelector<HTMLElement>('.edit')?.focus());
  };
  const isBusy = runningHere.value !== undefined;
  return (
    <article class="message user" aria-label={t('yourMessage')}>
      {isEdited ? <Editor message={message} onClose={close} /> : <div class="bubble">{message.text}</div>}
      {!isEdited && (
        <div class="message-actions" ref={edit}>
          <VersionSwitch id={message.id} />
          <CopyButton text={() => message.text} label={t('copyMessage')} />
          <IconButton
            class="edit"
            icon="pencil"
            label={t('editMessage')}
            disabled={isBusy}
            onClick={() => setEdited(true)}
          />
          <IconButton
            icon="trash"
            label={t('deleteMessage')}
            disabled={isBusy}
            onClick={() => removeVersion(message.id)}
          />
        </div>
      )}
    </article>
  );
}
