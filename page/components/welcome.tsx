import { type MessageKey, t } from '../i18n/i18n.js';
import { settings } from '../state/settings.js';
import { draft, focusComposer } from './composer.js';
import { Logo } from './logo.js';

const ideas: readonly MessageKey[] = ['ideaExplain', 'ideaCode', 'ideaTranslate', 'ideaPlan'];

/** What an empty conversation shows. */
export function Welcome() {
  return (
    <div class="welcome">
      <Logo />
      <h1>{t('welcome')}</h1>
      <p>{t('welcomeModel', { model: settings.value.model ?? '…' })}</p>
      <ul class="ideas">
        {ideas.map((idea) => (
          <li key={idea}>
            <button
              type="button"
              onClick={() => {
                draft.value = t(idea);
                focusComposer();
              }}
            >
              {t(idea)}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
