import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type LoadModelOptions, loadModel, type ModelWarning } from '../../lib/index.js';
import { uint32, writeTinyModel } from '../helpers/gguf-files.js';
import { commit, errorOf, fakeModel, startHub, temporaryDirectory } from '../helpers/hub-fixtures.js';

/** A hub with one file, and a call that loads it. */
async function prepare(file: Buffer) {
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files: { 'tiny-Q4_K_M.gguf': file } } });
  const cacheDirectory = await temporaryDirectory();
  const load = (options: LoadModelOptions = {}) =>
    loadModel('hf:maker/tiny-GGUF', { endpoint: hub.url, cacheDirectory, ...options });
  return { hub, load };
}

/** Large enough for several connections; it is no model, which shows when it is there. */
const large = fakeModel(33 << 20);

describe('loadModel', () => {
  it.each([1, 2, undefined])(
    'downloads over %s connections when it is asked to, and over 4 by itself',
    async (connections) => {
      const { hub, load } = await prepare(large);
      hub.misbehaviour.bytesPerSecond = 40_000_000;
      await errorOf(load(connections === undefined ? {} : { connections }), 'MODEL_INVALID');
      expect(hub.mostStreams).toBe(connections ?? 4);
    },
  );

  it('tells its listener before a download that the model will not fit the memory', async () => {
    // Terabytes of cache: no machine has them.
    const path = await writeTinyModel({
      'llama.context_length': uint32(4096),
      'llama.attention.key_length': uint32(2 ** 30),
    });
    const { hub, load } = await prepare(await readFile(path));
    const warnings: ModelWarning[] = [];
    const onWarning = (warning: ModelWarning) => {
      warnings.push(warning);
      // The header alone was asked for.
      expect(hub.downloads.length).toBe(1);
    };
    await errorOf(load({ onWarning }), 'MODEL_INVALID');
    expect(warnings).toMatchObject([{ kind: 'memory', file: 'tiny-Q4_K_M.gguf', fit: { fits: false } }]);
    expect(hub.downloads.length).toBeGreaterThan(1);
  });

  it.each([
    ['no connection at all', { connections: 0 }],
    ['more connections than servers bear', { connections: 17 }],
    ['a listener that is no function', { onWarning: 'loud' as unknown as () => void }],
  ])('refuses %s before it asks anyone', async (_, options) => {
    const { hub, load } = await prepare(large);
    await errorOf(load(options), 'INVALID_ARGUMENT');
    expect(hub.requests).toEqual([]);
  });
});
