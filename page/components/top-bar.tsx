import { t } from '../i18n/i18n.js';
import { models } from '../state/server.js';
import { changeSettings, settings } from '../state/settings.js';
import { areSettingsOpen, isDrawerOpen, type View, view } from '../state/view.js';
import { IconButton } from './icon-button.js';
import { Icon, type IconName } from './icons.js';

function ModelChoice() {
  return (
    <select
      class="model-choice"
      aria-label={t('model')}
      value={settings.value.model ?? ''}
      disabled={models.value.length === 0}
      onChange={(event) => changeSettings({ model: event.currentTarget.value })}
    >
      {models.value.length === 0 && <option value="">{t('noModel')}</option>}
      {models.value.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function ViewButton({ name, icon }: { name: View; icon: IconName }) {
  return (
    <button
      type="button"
      class="view-button"
      aria-current={view.value === name ? 'page' : undefined}
      onClick={() => (view.value = name)}
    >
      <Icon name={icon} />
      <span>{t(name)}</span>
    </button>
  );
}

/** The bar above the chat. */
export function TopBar() {
  return (
    <header class="top-bar">
      <IconButton
        class="drawer-open"
        icon="menu"
        label={t('openMenu')}
        expanded={isDrawerOpen.value}
        onClick={() => (isDrawerOpen.value = true)}
      />
      <ModelChoice />
      <nav class="views" aria-label={t('views')}>
        <ViewButton name="chat" icon="chat" />
        <ViewButton name="dashboard" icon="gauge" />
      </nav>
      <IconButton
        icon="sliders"
        label={t('settings')}
        expanded={areSettingsOpen.value}
        onClick={() => (areSettingsOpen.value = !areSettingsOpen.value)}
      />
    </header>
  );
}
