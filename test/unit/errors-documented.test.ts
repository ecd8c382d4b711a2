import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { createError, type ErrorCode, errorCodes, LlamaNativeError } from '../../lib/errors.js';

const page = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');

/** The sections of the page by code: the text below a heading of level three, up to the next heading. */
const sections = new Map(
  page
    .split(/^(?=##)/m)
    .filter((section) => section.startsWith('### '))
    .map((section) => [section.slice(4, section.indexOf('\n')).trim(), section] as const),
);
const codes = Object.keys(errorCodes) as ErrorCode[];

describe('docs/errors.md', () => {
  test('explains every code, and no other', () => {
    expect([...sections.keys()].sort()).toEqual([...codes].sort());
  });

  describe.each(codes)('on %s', (code) => {
    const section = sections.get(code) ?? '';

    test('names the class that is thrown', () => {
      expect(section).toContain(`Class: \`${createError(code, '').constructor.name}\``);
    });

    test('says what the code itself says', () => {
      // What follows the first clause in the list of codes is advice, which the page gives under "What to do".
      const firstClause = errorCodes[code].split(/[.;]/)[0] ?? '';
      expect(section.replaceAll('`', '')).toContain(firstClause.replaceAll('`', ''));
    });

    test('gives a cause and a way out', () => {
      expect(section).toMatch(/^- \*\*Cause:\*\* \S/m);
      expect(section).toMatch(/^- \*\*What to do:\*\* \S/m);
    });
  });
});

describe('an error', () => {
  test('has its code, message, details and cause', () => {
    const cause = new Error('underneath');
    const error = createError('DISK_FULL', 'no room', { cause, details: { freeBytes: 1 } });
    expect(error).toMatchObject({ code: 'DISK_FULL', message: 'no room', cause, details: { freeBytes: 1 } });
    expect(error).toBeInstanceOf(LlamaNativeError);
    expect(error.name).toBe('DownloadError');
  });

  test('of cancelling is named AbortError, as in the rest of Node.js', () => {
    expect(createError('ABORTED', 'stopped').name).toBe('AbortError');
  });

  test('is recognised across copies of the package', () => {
    const ofAnotherCopy = { [Symbol.for('llama-native.error')]: true };
    expect(LlamaNativeError.isInstance(ofAnotherCopy)).toBe(true);
    expect(LlamaNativeError.isInstance(new Error('other'))).toBe(false);
    expect(LlamaNativeError.isInstance(null)).toBe(false);
  });
});
