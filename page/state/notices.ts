import { signal } from '@preact/signals';

/** A message that goes away by itself. */
export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
}

/** What the page has to say now. */
export const notices = signal<readonly Notice[]>([]);

/** What screen readers are told, such as that an answer has come. */
export const announcement = signal('');

let nextId = 1;
const shownMs = 6000;

/** Shows a message for some seconds. */
export function notify(text: string, isError = false): void {
  const notice = { id: nextId++, text, isError };
  notices.value = [...notices.value.slice(-2), notice];
  setTimeout(() => dismiss(notice.id), shownMs);
}

/** Takes a message away. */
export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
