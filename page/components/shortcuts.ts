import { versionsOf } from '../conversation/tree.js';
import type { MessageKey } from '../i18n/i18n.js';
import { current, path } from '../state/conversations.js';
import { answer, runningHere, stop } from '../state/generations.js';
import { areSettingsOpen, areShortcutsOpen, isDrawerOpen, view } from '../state/view.js';
import { focusComposer } from './composer.js';
import { newChat } from './sidebar.js';
import { stepVersion } from './version-switch.js';

/** A shortcut of the page. Keys are named by their place, so that they are the same on every layout. */
interface Shortcut {
  readonly keys: string;
  readonly label: MessageKey;
  readonly isIt: (event: KeyboardEvent) => boolean;
  readonly run: () => void;
}

const alt = (code: string) => (event: KeyboardEvent) =>
  event.altKey && !event.ctrlKey && !event.metaKey && event.code === code;

function regenerate(): void {
  const last = path.peek().at(-1);
  const question = last?.role === 'assistant' ? last.parent : last?.id;
  if (question !== undefined) answer(question);
}

function editLast(): void {
  [...document.querySelectorAll<HTMLElement>('.message.user .edit:not(:disabled)')].at(-1)?.click();
}

/** Goes to another version of the last message that has several. */
function step(by: number): void {
  const several = path.peek().filter(({ id }) => versionsOf(current.peek(), id).ids.length > 1);
  const last = several.at(-1);
  if (last !== undefined && runningHere.peek() === undefined) stepVersion(last.id, by);
}

function closeOrStop(): void {
  if (isDrawerOpen.peek()) isDrawerOpen.value = false;
  else if (runningHere.peek() !== undefined) stop();
  else if (areSettingsOpen.peek()) areSettingsOpen.value = false;
}

function searchConversations(): void {
  // Elsewhere the list is always there.
  isDrawerOpen.value = matchMedia('(max-width: 860px)').matches;
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>('#search')?.focus());
}

function isTyping({ target }: KeyboardEvent): boolean {
  return (
    target instanceof HTMLElement &&
    target.matches('input:not([type=radio],[type=checkbox]), textarea, select')
  );
}

const plain = (key: string) => (event: KeyboardEvent) =>
  event.key === key && !event.altKey && !event.ctrlKey && !event.metaKey && !isTyping(event);

/** The shortcuts, in the order in which the page lists them. */
export const shortcuts: readonly Shortcut[] = [
  { keys: 'Alt N', label: 'newChat', isIt: alt('KeyN'), run: newChat },
  {
    keys: 'Ctrl K',
    label: 'search',
    isIt: (event) => (event.ctrlKey || event.metaKey) && !event.shiftKey && event.code === 'KeyK',
    run: searchConversations,
  },
  { keys: '/', label: 'focusComposer', isIt: plain('/'), run: focusComposer },
  { keys: 'Alt R', label: 'regenerate', isIt: alt('KeyR'), run: regenerate },
  { keys: 'Alt E', label: 'editLast', isIt: alt('KeyE'), run: editLast },
  { keys: 'Alt [', label: 'versionBefore', isIt: alt('BracketLeft'), run: () => step(-1) },
  { keys: 'Alt ]', label: 'versionAfter', isIt: alt('BracketRight'), run: () => step(1) },
  { keys: 'Alt 1', label: 'chat', isIt: alt('Digit1'), run: () => (view.value = 'chat') },
  { keys: 'Alt 2', label: 'dashboard', isIt: alt('Digit2'), run: () => (view.value = 'dashboard') },
  {
    keys: 'Alt ,',
    label: 'settings',
    isIt: alt('Comma'),
    run: () => (areSettingsOpen.value = !areSettingsOpen.peek()),
  },
  {
    keys: 'Esc',
    label: 'stopOrClose',
    isIt: (event) => event.key === 'Escape' && !event.isComposing,
    run: closeOrStop,
  },
  { keys: '?', label: 'shortcuts', isIt: plain('?'), run: () => (areShortcutsOpen.value = true) },
];

/** Listens to the shortcuts, unless a dialog is open. */
export function listenToShortcuts(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || document.querySelector('dialog[open]') !== null) return;
    const shortcut = shortcuts.find(({ isIt }) => isIt(event));
    if (shortcut === undefined) return;
    event.preventDefault();
    shortcut.run();
  });
}
