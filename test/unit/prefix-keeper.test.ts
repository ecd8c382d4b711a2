import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { PrefixKeeper } from '../../lib/engine/prefix-keeper.js';
import { PrefixStore } from '../../lib/engine/prefix-store.js';
import { SequenceTable } from '../../lib/engine/sequence-table.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('a file that is not read in time is not waited for', async () => {
  const store = await PrefixStore.open({ memoryBytes: 1e6, canCut: true });
  vi.spyOn(store, 'load').mockReturnValue(new Promise(() => {}));
  const sequences = new SequenceTable({ sequences: 2, running: 1, contextSize: 100, canShare: true });
  const handle = { kind: 'context' } as const;
  const keeper = new PrefixKeeper({ handle, store, sequences, memoryBytes: 1e6, checkpoints: false });
  const prefix = { id: 1, tokens: Int32Array.of(1, 2), byteSize: 10, state: undefined, file: undefined };
  const loading = keeper.load({ prefix, length: 2 });
  await vi.advanceTimersByTimeAsync(1001);
  expect(await loading).toBeUndefined();
});
