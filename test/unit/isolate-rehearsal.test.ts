import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CallTable } from '../../lib/isolate/call-table.js';
import { rehearse } from '../../lib/isolate/rehearsal.js';

describe('a rehearsal with an engine', () => {
  it('sends one message after the other, and none once the model is loaded', async () => {
    let loaded: (value: unknown) => void = () => {};
    const load = new Promise((resolve) => {
      loaded = resolve;
    });
    let sent = 0;
    let underway = 0;
    const rehearsal = rehearse(async (messages) => {
      sent++;
      expect(++underway).toBe(1);
      expect(messages.length).toBeGreaterThan(0);
      await turn();
      underway--;
      if (sent === 10) loaded(undefined);
    }, load);
    await rehearsal;
    expect(sent).toBe(10);
  });

  it('ends also beside a load that takes long', async () => {
    let sent = 0;
    await rehearse(async () => sent++, new Promise(() => {}));
    expect(sent).toBeGreaterThan(100);
    expect(sent).toBeLessThan(10_000);
  });

  it('ends without an error of its own when the load fails or the engine ends', async () => {
    const failed = Promise.reject(new Error('No such file.'));
    let sent = 0;
    await rehearse(async () => void sent++, failed);
    expect(sent).toBeLessThanOrEqual(1);
    await rehearse(() => Promise.reject(new Error('The engine crashed.')), new Promise(() => {}));
    await expect(failed).rejects.toThrow('No such file.');
  });

  it('is no call that a crash report names', () => {
    const table = new CallTable();
    const reject = () => {};
    table.add({ method: 'echo', resolve: () => {}, reject });
    table.add({ method: 'loadModel', resolve: () => {}, reject });
    const interrupted = table.failAll(new Error('crashed') as never, false);
    expect(interrupted.map(({ method }) => method)).toEqual(['loadModel']);
  });
});
