import { describe, expect, it } from 'vitest';
import { isSendKey } from '../../../page/components/send-key.js';

const enter = { key: 'Enter', shiftKey: false, altKey: false, isComposing: false, keyCode: 13 };

describe('the key that sends', () => {
  it('is Enter and no other', () => {
    expect(isSendKey(enter)).toBe(true);
    expect(isSendKey({ ...enter, key: 'a' })).toBe(false);
  });

  it('is not Enter with Shift, which makes a new line', () => {
    expect(isSendKey({ ...enter, shiftKey: true })).toBe(false);
  });

  it('is not the Enter with which an input method ends a composition', () => {
    expect(isSendKey({ ...enter, isComposing: true })).toBe(false);
    expect(isSendKey({ ...enter, keyCode: 229 })).toBe(false);
  });
});
