import { t } from '../i18n/i18n.js';
import { areShortcutsOpen } from '../state/view.js';
import { Dialog } from './dialog.js';
import { shortcuts } from './shortcuts.js';

const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent);

function Keys({ keys }: { keys: string }) {
  const named = isApple ? keys.replace('Alt', '⌥').replace('Ctrl', '⌘') : keys;
  return (
    <dt>
      {named.split(' ').map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </dt>
  );
}

/** All that the keyboard can do. */
export function ShortcutsDialog() {
  return (
    <Dialog title={t('shortcuts')} onClose={() => (areShortcutsOpen.value = false)}>
      <dl class="shortcut-list">
        <Keys keys="Enter" />
        <dd>{t('send')}</dd>
        <Keys keys="Shift Enter" />
        <dd>{t('newLine')}</dd>
        {shortcuts.map(({ keys, label }) => [
          <Keys key={keys} keys={keys} />,
          <dd key={label}>{t(label)}</dd>,
        ])}
      </dl>
    </Dialog>
  );
}
