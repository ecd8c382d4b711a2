import type { english } from './english.js';

/** Name of a text of the page. */
export type MessageKey = keyof typeof english;

/** The texts of a language. */
export type Messages = Readonly<Record<MessageKey, string>>;

/** Puts values where a text has their names in braces. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The names of the values that a text wants. */
export function placeholders(text: string): string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name).sort();
}
