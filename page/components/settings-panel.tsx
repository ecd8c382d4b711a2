import { useEffect, useRef } from 'preact/hooks';
import { type Language, language, languages, setLanguage, t } from '../i18n/i18n.js';
import { apiKey } from '../state/server.js';
import { changeSettings, resetSampling, settings, type Theme, theme } from '../state/settings.js';
import { areSettingsOpen, areShortcutsOpen, isKeyOpen } from '../state/view.js';
import { Choice } from './choice.js';
import { DataSettings } from './data-settings.js';
import { FormatSettings } from './format-settings.js';
import { IconButton } from './icon-button.js';
import { Icon } from './icons.js';
import { NumberField } from './number-field.js';

function ModelSettings() {
  const { systemPrompt, thinking } = settings.value;
  return (
    <section>
      <h3>{t('behaviour')}</h3>
      <div class="field">
        <label for="system-prompt">{t('systemPrompt')}</label>
        <textarea
          id="system-prompt"
          rows={4}
          placeholder={t('systemPromptHint')}
          value={systemPrompt}
          onInput={(event) => changeSettings({ systemPrompt: event.currentTarget.value })}
        />
      </div>
      <Choice
        label={t('thinking')}
        value={thinking === undefined ? 'automatic' : thinking ? 'on' : 'off'}
        options={[
          ['automatic', t('automatic')],
          ['on', t('on')],
          ['off', t('off')],
        ]}
        onChoose={(value) => changeSettings({ thinking: value === 'automatic' ? undefined : value === 'on' })}
      />
    </section>
  );
}

function SamplingSettings() {
  return (
    <section>
      <h3>
        {t('sampling')}
        <button type="button" class="link" onClick={resetSampling}>
          {t('reset')}
        </button>
      </h3>
      <NumberField name="temperature" label="temperature" help="temperatureHelp" slider={0.8} />
      <NumberField name="topP" label="topP" help="topPHelp" slider={0.95} />
      <NumberField name="minP" label="minP" help="minPHelp" slider={0.05} />
      <NumberField name="topK" label="topK" help="topKHelp" />
      <NumberField name="maxTokens" label="maxTokens" help="maxTokensHelp" />
      <NumberField name="seed" label="seed" help="seedHelp" />
    </section>
  );
}

function PageSettings() {
  const themes: [Theme, string][] = [
    ['system', t('themeSystem')],
    ['light', t('themeLight')],
    ['dark', t('themeDark')],
  ];
  return (
    <section>
      <h3>{t('page')}</h3>
      <Choice
        label={t('language')}
        value={language.value}
        options={Object.entries(languages) as [Language, string][]}
        onChoose={setLanguage}
      />
      <Choice
        label={t('theme')}
        value={theme.value}
        options={themes}
        onChoose={(value) => {
          theme.value = value;
        }}
      />
      <div class="button-row">
        <button type="button" class="button" onClick={() => (isKeyOpen.value = true)}>
          <Icon name="key" />
          {apiKey.value === '' ? t('enterKey') : t('changeKey')}
        </button>
        <button type="button" class="button" onClick={() => (areShortcutsOpen.value = true)}>
          <Icon name="keyboard" />
          {t('shortcuts')}
        </button>
      </div>
    </section>
  );
}

/** What requests are made with, and how the page looks. */
export function SettingsPanel() {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <aside class="settings" aria-label={t('settings')} tabIndex={-1} ref={panel}>
      <header>
        <h2>{t('settings')}</h2>
        <IconButton icon="close" label={t('closeSettings')} onClick={() => (areSettingsOpen.value = false)} />
      </header>
      <div class="settings-content">
        <ModelSettings />
        <SamplingSettings />
        <FormatSettings />
        <PageSettings />
        <DataSettings />
      </div>
    </aside>
  );
}
