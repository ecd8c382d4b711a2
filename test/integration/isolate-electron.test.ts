import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toIsolateSettings } from '../../lib/isolate/options.js';
import { RemoteAddon } from '../../lib/isolate/remote-addon.js';
import { EngineSupervisor } from '../../lib/isolate/supervisor.js';
import type { CrashReport } from '../../lib/isolate/types.js';
import { UtilityEngineProcess } from '../../lib/isolate/utility-process.js';
import type { ModelHandle } from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import { utilityProcesses } from '../helpers/utility-processes.js';

/** Electron itself cannot be installed everywhere; its processes are played by ones of Node.js with a port like theirs. */
describe('an engine that is spoken to through the port of a utility process', () => {
  let supervisor: EngineSupervisor;
  let addon: RemoteAddon;
  let model: ModelHandle;
  const crashes: CrashReport[] = [];

  beforeAll(async () => {
    supervisor = new EngineSupervisor({
      ...toIsolateSettings(true),
      startProcess: (listener) => UtilityEngineProcess.start(utilityProcesses, listener),
    });
    supervisor.listenToCrashes((report) => crashes.push(report));
    await supervisor.start();
    addon = new RemoteAddon(supervisor);
    const options = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
    model = await addon.loadModel(await testModelPath(), options, addon.createCancelFlag(), () => {});
  });
  afterAll(() => supervisor.close());

  it('tokenizes, and brings arrays back as they are', async () => {
    const [tokens] = await addon.tokenize(model, ['你好, world'], false, false);
    expect(tokens).toBeInstanceOf(Int32Array);
    expect(await addon.detokenize(model, [tokens as Int32Array], false, false)).toEqual(['你好, world']);
  });

  it('evaluates, and sends logits of hundreds of kilobytes', async () => {
    const { handle } = await addon.createContext(
      model,
      { contextSize: 64, batchSize: 16, threads: 2 } as never,
      () => {},
    );
    await addon.eval(handle, Int32Array.from([1, 2, 3]), 0, 0, false);
    const logits = await addon.getLogits(handle, -1);
    expect(logits).toBeInstanceOf(Float32Array);
    expect(logits.every(Number.isFinite)).toBe(true);
    await addon.closeContext(handle);
  });

  it('is started again after it was killed, and says how it ended', async () => {
    const processId = supervisor.engine?.processId ?? 0;
    const waiting = addon.tokenize(model, ['x '.repeat(2_000_000)], false, false);
    process.kill(processId, 'SIGKILL');
    await expect(waiting).rejects.toMatchObject({ code: 'ENGINE_CRASHED', details: { signal: 'SIGKILL' } });
    expect(crashes).toHaveLength(1);
    expect(await addon.tokenize(model, ['Hi'], false, false)).toHaveLength(1);
    expect(supervisor.engine?.processId).not.toBe(processId);
  });

  it('is gone once it is closed', async () => {
    const processId = supervisor.engine?.processId ?? 0;
    await supervisor.close();
    expect(() => process.kill(processId, 0)).toThrow('ESRCH');
    expect(crashes).toHaveLength(1);
  });

  it('is refused with a clear error where Electron starts none', async () => {
    const refusing = {
      fork: () => {
        throw new Error('utilityProcess cannot be created before app is ready.');
      },
    };
    const start = UtilityEngineProcess.start(refusing, { onReply: () => {}, onGarbage: () => {} });
    await expect(start).rejects.toMatchObject({
      code: 'ENGINE_START_FAILED',
      message: expect.stringContaining('before app is ready'),
    });
  });
});
