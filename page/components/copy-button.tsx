import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { announcement, notify } from '../state/notices.js';
import { copyText } from './copy-text.js';
import { Icon } from './icons.js';

const shownMs = 2000;

/** Copies a text and shows for a moment that it has. */
export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), shownMs);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    const done = await copyText(text());
    setCopied(done);
    if (done) announcement.value = t('copied');
    else notify(t('notCopied'), true);
  };
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={isCopied ? t('copied') : label}
      onClick={copy}
    >
      <Icon name={isCopied ? 'check' : 'copy'} />
    </button>
  );
}
