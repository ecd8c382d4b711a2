import type { FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EarlyFlush } from '../../lib/files/early-flush.js';

/** A file whose flushes end when they are told to. */
function slowFile() {
  const flushes: { end: () => void; fail: (error: Error) => void }[] = [];
  const datasync = () => new Promise<void>((end, fail) => flushes.push({ end, fail }));
  return { flushes, early: new EarlyFlush({ datasync } as FileHandle) };
}

const megabyte = 1 << 20;

describe('flushing a file while it is written', () => {
  it('begins when much was written, and again only after the last flush', async () => {
    const { flushes, early } = slowFile();
    early.advance(63 * megabyte);
    expect(flushes).toHaveLength(0);
    early.advance(megabyte);
    early.advance(200 * megabyte);
    expect(flushes).toHaveLength(1);
    flushes[0]?.end();
    await nextTurn();
    early.advance(1);
    expect(flushes).toHaveLength(2);
  });

  it('is waited for before the file is closed', async () => {
    const { flushes, early } = slowFile();
    early.advance(64 * megabyte);
    let isSettled = false;
    const settled = early.settle().then(() => {
      isSettled = true;
    });
    await nextTurn();
    expect(isSettled).toBe(false);
    flushes[0]?.end();
    await settled;
  });

  it('fails the writing, since the system tells of a broken disk only once', async () => {
    const { flushes, early } = slowFile();
    early.advance(64 * megabyte);
    flushes[0]?.fail(new Error('input/output error'));
    await nextTurn();
    expect(() => early.advance(1)).toThrow('input/output error');
    await expect(early.settle()).rejects.toThrow('input/output error');
  });
});
