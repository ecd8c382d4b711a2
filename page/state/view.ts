import { effect, signal } from '@preact/signals';
import { connection } from './server.js';

/** What the main part of the page shows. */
export type View = 'chat' | 'dashboard';

/** What is shown; also in the address, so that it outlives a reload. */
export const view = signal<View>(location.hash === '#dashboard' ? 'dashboard' : 'chat');
/** The panel at the side. */
export const areSettingsOpen = signal(false);
/** The list of conversations where it lies over the page, on a phone. */
export const isDrawerOpen = signal(false);
/** The list of shortcuts. */
export const areShortcutsOpen = signal(false);
/** The dialog that asks for a key. */
export const isKeyOpen = signal(false);

/** Ties the view to the address, and asks for a key when one is needed. */
export function keepView(): void {
  effect(() => {
    const hash = view.value === 'dashboard' ? '#dashboard' : '';
    if (location.hash !== hash) history.replaceState(undefined, '', hash === '' ? location.pathname : hash);
  });
  effect(() => {
    if (connection.value === 'key-needed') isKeyOpen.value = true;
  });
  addEventListener('hashchange', () => {
    view.value = location.hash === '#dashboard' ? 'dashboard' : 'chat';
  });
}
