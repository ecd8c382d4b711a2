import { t } from '../i18n/i18n.js';
import { connect, connection, connectionProblem } from '../state/server.js';
import { isKeyOpen } from '../state/view.js';
import { Icon } from './icons.js';

function solve(isKey: boolean): void {
  if (isKey) isKeyOpen.value = true;
  else void connect();
}

/** Says what keeps the page from the server, with the way out. */
export function ConnectionBanner() {
  const state = connection.value;
  if (state === 'ready' || state === 'connecting') return null;
  const isKey = state === 'key-needed';
  const text = isKey
    ? t('keyNeeded')
    : state === 'unreachable'
      ? t('unreachable')
      : t('serverFailed', { message: connectionProblem.value });
  return (
    <div class="banner" role="alert">
      <Icon name={isKey ? 'key' : 'warning'} />
      <span>{text}</span>
      <button type="button" class="button" onClick={() => solve(isKey)}>
        {isKey ? t('enterKey') : t('tryAgain')}
      </button>
    </div>
  );
}
