import { render } from 'preact';
import { App } from './app.js';
import { listenToShortcuts } from './components/shortcuts.js';
import { keepLanguage } from './i18n/i18n.js';
import { openConversations } from './state/conversations.js';
import { keepConnected } from './state/server.js';
import { keepSettings } from './state/settings.js';
import { keepView } from './state/view.js';
import './styles/variables.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/sidebar.css';
import './styles/chat.css';
import './styles/markdown.css';
import './styles/settings.css';
import './styles/dashboard.css';

keepLanguage();
keepSettings();
keepView();
keepConnected();
listenToShortcuts();
void openConversations();

const place = document.getElementById('page');
if (place !== null) render(<App />, place);
