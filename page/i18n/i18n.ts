import { effect, signal } from '@preact/signals';
import { keep, readKept } from '../storage/kept-value.js';
import { chinese } from './chinese.js';
import { english } from './english.js';
import { fill, type MessageKey } from './fill.js';

export type { MessageKey } from './fill.js';

/** Languages of the page, by their tags. */
export const languages = { en: 'English', 'zh-CN': '中文' } as const;

/** A language of the page. */
export type Language = keyof typeof languages;

const texts = { en: english, 'zh-CN': chinese } as const;

function firstLanguage(): Language {
  const kept = readKept('language');
  if (kept === 'en' || kept === 'zh-CN') return kept;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

/** The language in which the page speaks. */
export const language = signal<Language>(firstLanguage());

/** Changes the language, and keeps the choice. */
export function setLanguage(chosen: Language): void {
  language.value = chosen;
  keep('language', chosen);
}

/** A text of the page in its language. What calls it while drawing is drawn again when the language changes. */
export function t(key: MessageKey, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(texts[language.value][key], values);
}

/** Tells the browser, and with it screen readers, which language it is. */
export function keepLanguage(): void {
  effect(() => {
    document.documentElement.lang = language.value;
  });
}
