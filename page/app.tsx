import { ChatView } from './components/chat-view.js';
import { ConfirmDialog } from './components/confirm-dialog.js';
import { ConnectionBanner } from './components/connection-banner.js';
import { KeyDialog } from './components/key-dialog.js';
import { lazyView } from './components/lazy-view.js';
import { Notices } from './components/notices.js';
import { SettingsPanel } from './components/settings-panel.js';
import { ShortcutsDialog } from './components/shortcuts-dialog.js';
import { Sidebar } from './components/sidebar.js';
import { TopBar } from './components/top-bar.js';
import { t } from './i18n/i18n.js';
import { areSettingsOpen, areShortcutsOpen, isDrawerOpen, isKeyOpen, view } from './state/view.js';

/** Charts are loaded by whoever looks at them. */
const Dashboard = lazyView(async () => (await import('./components/dashboard.js')).Dashboard);

/** The whole page. */
export function App() {
  return (
    <div class={`app ${areSettingsOpen.value ? 'has-settings' : ''}`}>
      <a class="skip-link" href="#composer-text">
        {t('focusComposer')}
      </a>
      <Sidebar />
      {isDrawerOpen.value && (
        <button
          type="button"
          class="drawer-backdrop"
          aria-label={t('closeMenu')}
          tabIndex={-1}
          onClick={() => (isDrawerOpen.value = false)}
        />
      )}
      <main class="main">
        <TopBar />
        <ConnectionBanner />
        {view.value === 'chat' ? <ChatView /> : <Dashboard />}
      </main>
      {areSettingsOpen.value && <SettingsPanel />}
      {isKeyOpen.value && <KeyDialog />}
      {areShortcutsOpen.value && <ShortcutsDialog />}
      <ConfirmDialog />
      <Notices />
    </div>
  );
}
