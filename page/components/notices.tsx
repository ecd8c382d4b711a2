import { t } from '../i18n/i18n.js';
import { announcement, dismiss, notices } from '../state/notices.js';
import { IconButton } from './icon-button.js';

/** What the page has to say, and what only screen readers hear. */
export function Notices() {
  return (
    <>
      <div class="notices" role="status">
        {notices.value.map(({ id, text, isError }) => (
          <div key={id} class={`notice ${isError ? 'is-error' : ''}`}>
            <span>{text}</span>
            <IconButton icon="close" label={t('close')} onClick={() => dismiss(id)} />
          </div>
        ))}
      </div>
      <div class="visually-hidden" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}
