/** What of a keyboard event tells whether it sends. */
export interface SendKeyEvent {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly isComposing: boolean;
  readonly keyCode: number;
}

/** The code of keys that an input method takes for itself; Safari says only so that Enter ends a composition. */
const composingKeyCode = 229;

/** True for Enter that sends. With Shift it makes a new line; while an input method composes, as for Chinese, it chooses. */
export function isSendKey({ key, shiftKey, altKey, isComposing, keyCode }: SendKeyEvent): boolean {
  return key === 'Enter' && !shiftKey && !altKey && !isComposing && keyCode !== composingKeyCode;
}
