import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { type GgufHeader, type LoadModelOptions, loadModel, type Model } from '../../lib/index.js';
import { getAddon } from '../../lib/native/addon.js';
import {
  type LowRankChange,
  type MergedChanges,
  randomChanges,
  writeAdapter,
  writeMergedModel,
} from '../helpers/adapter-files.js';
import { filledTensor, rejection, text } from '../helpers/gguf-files.js';
import { writeTinyGenerator } from '../helpers/tiny-generator.js';

const exact = { threads: 1, contextSize: 512, keyType: 'f32', valueType: 'f32' } as const;
const greedy = { temperature: 0, ignoreEndOfSequence: true, maxTokens: 12 } as const;
const prompt = 'The sea is wide and the night is long; who goes there, and what for? ';

const rank = 4;
const alpha = 8;
const factor = alpha / rank;

let directory: string;
let path: string;
let header: GgufHeader;
/** Every matrix that llama.cpp multiplies with. */
let broad: LowRankChange[];
/** The token embeddings only, whose matrices are the other way round. */
let embedded: LowRankChange[];
let broadPath: string;
let embeddedPath: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-adapters-'));
  path = join(directory, 'tiny.gguf');
  await writeTinyGenerator(path);
  header = await readGgufHeader(path);
  broad = randomChanges(header, { targets: /(attn_.|attn_output|ffn_.*|^output)\.weight$/, rank, size: 0.3 });
  broad = broad.filter(({ name }) => !name.includes('norm'));
  embedded = randomChanges(header, { targets: /token_embd/, rank, seed: 2, size: 4 });
  broadPath = await writeAdapter(header, broad, { alpha });
  embeddedPath = await writeAdapter(header, embedded, { alpha });
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

function load(adapters: LoadModelOptions['adapters'], more: LoadModelOptions = {}): Promise<Model> {
  return loadModel(path, { ...exact, ...more, ...(adapters && { adapters }) });
}

/** The logits after the prompt, and a text that follows it. */
async function outcome(model: Model): Promise<{ logits: Float32Array; text: string }> {
  const context = await model.createContext({ keyType: 'f32', valueType: 'f32' });
  await context.eval(await model.tokenize(prompt));
  const logits = await context.logits();
  const { text } = await model.generate(prompt, greedy).result;
  await context.close();
  return { logits, text };
}

async function outcomeOf(adapters: LoadModelOptions['adapters'], more?: LoadModelOptions) {
  const model = await load(adapters, more);
  try {
    return await outcome(model);
  } finally {
    await model.close();
  }
}

/** What comes of the model that has the changes in its weights. */
async function mergedOutcome(merged: readonly MergedChanges[]) {
  const model = await loadModel(await writeMergedModel(header, merged), exact);
  try {
    return await outcome(model);
  } finally {
    await model.close();
  }
}

/** The largest difference, as a part of the largest value. */
function difference(one: Float32Array, other: Float32Array): number {
  expect(one.length).toBe(other.length);
  const largest = other.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return (
    one.reduce((most, value, index) => Math.max(most, Math.abs(value - (other[index] ?? 0))), 0) / largest
  );
}

/** An adapter that changes a tensor of this name. */
const named = (name: string) => ({
  tensors: () => [
    filledTensor(`${name}.lora_a`, [64, 4], 'F32', 64 * 4 * 4),
    filledTensor(`${name}.lora_b`, [4, 64], 'F32', 64 * 4 * 4),
  ],
});

describe('an adapter', () => {
  it('covers every matrix of the tiny model in these tests', () => {
    expect(broad.map(({ name }) => name.replace('blk.0.', '')).sort()).toEqual(
      ['attn_k', 'attn_output', 'attn_q', 'attn_v', 'ffn_down', 'ffn_gate', 'ffn_up', 'output'].map(
        (name) => `${name}.weight`,
      ),
    );
    expect(embedded.map(({ name }) => name)).toEqual(['token_embd.weight']);
  });

  it.each<[string, () => string, () => LowRankChange[]]>([
    ['every matrix', () => broadPath, () => broad],
    ['the token embeddings', () => embeddedPath, () => embedded],
  ])('of %s gives what its weights merged into the model give, at any scale', async (_, file, changes) => {
    const plain = await outcomeOf(undefined);
    for (const scale of [1, 0.25, -0.5]) {
      const changed = await outcomeOf([{ path: file(), scale }]);
      expect(difference(changed.logits, plain.logits)).toBeGreaterThan(0.02);
      const merged = await mergedOutcome([{ changes: changes(), factor: scale * factor }]);
      expect(difference(changed.logits, merged.logits)).toBeLessThan(1e-4);
      expect(changed.text).toBe(merged.text);
    }
  });

  it('changes nothing at scale 0', async () => {
    const plain = await outcomeOf(undefined);
    const unchanged = await outcomeOf([{ path: broadPath, scale: 0 }]);
    expect(unchanged.logits).toEqual(plain.logits);
    expect(unchanged.text).toBe(plain.text);
  });

  it('without alpha has its scale as the only factor', async () => {
    const file = await writeAdapter(header, broad, { metadata: { 'adapter.lora.alpha': undefined } });
    const changed = await outcomeOf([file]);
    const merged = await mergedOutcome([{ changes: broad, factor: 1 }]);
    expect(difference(changed.logits, merged.logits)).toBeLessThan(1e-4);
  });

  it('adds up with others, and with itself', async () => {
    const two = await outcomeOf([broadPath, { path: embeddedPath, scale: 0.5 }]);
    const merged = await mergedOutcome([
      { changes: broad, factor },
      { changes: embedded, factor: 0.5 * factor },
    ]);
    expect(difference(two.logits, merged.logits)).toBeLessThan(1e-4);
    const twice = await outcomeOf([
      { path: broadPath, scale: 0.5 },
      { path: broadPath, scale: 0.25 },
    ]);
    const mergedTwice = await mergedOutcome([{ changes: broad, factor: 0.75 * factor }]);
    expect(difference(twice.logits, mergedTwice.logits)).toBeLessThan(1e-4);
  });

  it('changes embeddings as its weights merged into the model do', async () => {
    const embed = async (model: Model) => {
      const embedding = await model.embed(prompt);
      await model.close();
      return embedding;
    };
    const changed = await embed(await load([broadPath]));
    const merged = await embed(
      await loadModel(await writeMergedModel(header, [{ changes: broad, factor }]), exact),
    );
    const plain = await embed(await load(undefined));
    expect(difference(changed, plain)).toBeGreaterThan(0.01);
    expect(difference(changed, merged)).toBeLessThan(1e-4);
  });

  it('stays in an engine of another process, also in the one after a crash', async () => {
    const plain = await outcomeOf(undefined);
    const here = await outcomeOf([broadPath]);
    const model = await load([broadPath], { isolate: true });
    const there = await outcome(model);
    expect(difference(there.logits, here.logits)).toBeLessThan(1e-6);
    const before = await model.embed(prompt);

    const { engineProcess } = await model.metrics();
    const crashed = new Promise((resolve) => model.once('crash', resolve));
    process.kill(engineProcess?.processId ?? 0, 'SIGKILL');
    await crashed;
    const again = await outcome(model);
    expect(difference(again.logits, here.logits)).toBeLessThan(1e-6);
    expect(difference(again.logits, plain.logits)).toBeGreaterThan(0.02);
    expect(again.text).toBe(here.text);
    expect(difference(await model.embed(prompt), before)).toBeLessThan(1e-6);
    expect((await model.metrics()).engineProcess?.restarts).toBe(1);
    await model.close();
  });

  it('gives the same text when a model without it makes guesses', async () => {
    const { text } = await outcomeOf([broadPath]);
    expect((await outcomeOf([broadPath], { speculative: { draftModel: path } })).text).toBe(text);
  });

  it('is left out with vocabOnly', async () => {
    const model = await load([broadPath], { vocabOnly: true });
    expect((await model.tokenize(prompt)).length).toBe(prompt.length);
    await model.close();
  });
});

describe('what was read with one adapter', () => {
  it('is no state for a model with another one, with another scale, or with none', async () => {
    const saved = await load([broadPath]);
    const context = await saved.createContext({ keyType: 'f32', valueType: 'f32' });
    await context.eval(await saved.tokenize(prompt));
    const state = await context.saveSequence();
    await saved.close();

    const restore = async (adapters: LoadModelOptions['adapters']) => {
      const model = await load(adapters);
      const other = await model.createContext({ keyType: 'f32', valueType: 'f32' });
      try {
        await other.restoreSequence(state);
      } finally {
        await model.close();
      }
    };
    await restore([broadPath]);
    await restore([{ path: embeddedPath, scale: 0 }, broadPath]);
    for (const adapters of [
      undefined,
      [{ path: broadPath, scale: 0.5 }],
      [embeddedPath],
      [broadPath, embeddedPath],
    ]) {
      await rejection(restore(adapters), 'STATE_INVALID');
    }
  });

  it('is not taken from the disk by a model with another one', async () => {
    const folder = await mkdtemp(join(directory, 'prefixes-'));
    const long = prompt.repeat(4);
    const cachedTokens = async (adapters: LoadModelOptions['adapters']) => {
      const model = await load(adapters, { prefixCache: { memoryBytes: 0, directory: folder } });
      const { usage } = await model.generate(long, greedy).result;
      await model.close();
      return usage.cachedTokens;
    };
    expect(await cachedTokens([broadPath])).toBe(0);
    expect(await cachedTokens([broadPath])).toBeGreaterThan(200);
    expect(await cachedTokens([{ path: broadPath, scale: 0.5 }])).toBe(0);
    expect(await cachedTokens([embeddedPath])).toBe(0);
    expect(await cachedTokens(undefined)).toBe(0);
    expect(await cachedTokens([{ path: embeddedPath, scale: 0 }])).toBeGreaterThan(200);
    expect((await readdir(folder)).filter((name) => name.endsWith('.lnprefix')).length).toBe(4);
  });

  it('is read again when a conversation is opened with another one', async () => {
    const file = join(directory, 'talk.chat');
    const saved = await load([broadPath]);
    const chat = saved.createChat(greedy);
    await chat.send(prompt).result;
    await chat.save(file);
    await saved.close();

    const answer = async (adapters: LoadModelOptions['adapters']) => {
      const model = await load(adapters);
      const restored = await model.restore(file, greedy);
      expect(restored.history).toEqual(chat.history);
      const fresh = model.createChat({ ...greedy, history: chat.history });
      const result = await restored.send('And then?').result;
      const { text } = await fresh.send('And then?').result;
      await model.close();
      return { cached: result.usage.cachedTokens, text: result.text, fresh: text };
    };
    const same = await answer([broadPath]);
    expect(same.cached).toBeGreaterThan(prompt.length);
    for (const adapters of [[embeddedPath], undefined]) {
      const other = await answer(adapters);
      expect(other.cached).toBe(0);
      expect(other.text).toBe(other.fresh);
    }
  });
});

describe('an adapter that does not go with the model', () => {
  it('is refused, and the model loads without it', async () => {
    const foreign = await writeAdapter(header, broad, {
      metadata: { 'general.architecture': text('qwen2') },
    });
    const unknown = await writeAdapter(header, broad, named('blk.5.attn_q.weight'));
    for (const isolate of [false, true]) {
      await rejection(load([broadPath, foreign], { isolate }), 'ADAPTER_MISMATCH');
      await rejection(load([unknown], { isolate }), 'ADAPTER_MISMATCH');
      await rejection(load([path], { isolate }), 'MODEL_UNSUPPORTED');
      await rejection(load([join(directory, 'nowhere.gguf')], { isolate }), 'MODEL_NOT_FOUND');
    }
    expect((await outcomeOf(undefined)).text.length).toBeGreaterThan(0);
  });

  it.each([
    ['no array', 'adapter.gguf'],
    ['too many', new Array(17).fill('adapter.gguf')],
    ['an empty path', ['']],
    ['no path', [{ scale: 1 }]],
    ['a number', [1]],
    ['a scale that is no number', [{ path: 'adapter.gguf', scale: Number.NaN }]],
    ['a scale beyond its range', [{ path: 'adapter.gguf', scale: 100.5 }]],
    ['a misspelt option', [{ path: 'adapter.gguf', scael: 1 }]],
  ])('is an argument error before anything is loaded: %s', async (_name, adapters) => {
    await rejection(load(adapters as never), 'INVALID_ARGUMENT');
  });
});

describe('the addon itself', () => {
  const settings = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
  const sizes = { contextSize: 256, batchSize: 64, sequences: 1, threads: 1 };
  const addon = getAddon();
  const open = () => addon.loadModel(path, settings, addon.createCancelFlag(), () => {});

  it('refuses what llama.cpp refuses, and goes on with the model', async () => {
    const model = await open();
    const missing = await writeAdapter(header, broad, named('blk.5.attn_q.weight'));
    const error = await rejection(addon.loadAdapter(model, missing, ''), 'MODEL_LOAD_FAILED');
    expect(error.message).toContain('does not exist in base model');
    await rejection(addon.loadAdapter(model, join(directory, 'nowhere.gguf'), ''), 'MODEL_LOAD_FAILED');
    const adapter = await addon.loadAdapter(model, broadPath, '');
    const applied = [{ adapter, scale: 1 }];
    const { handle } = await addon.createContext(model, { ...sizes, adapters: applied }, () => {});
    await addon.eval(handle, Int32Array.of(65, 66), 0, -1, false);
    expect((await addon.getLogits(handle, -1)).every(Number.isFinite)).toBe(true);
    await addon.closeContext(handle);
    await addon.closeModel(model);
  });

  it('takes adapters of the context’s own model only, each once, and none after the first context', async () => {
    const [model, other] = await Promise.all([open(), open()]);
    const [adapter, foreign] = await Promise.all([
      addon.loadAdapter(model, broadPath, ''),
      addon.loadAdapter(other, broadPath, ''),
    ]);
    const create = (adapters: unknown) =>
      (async () => addon.createContext(model, { ...sizes, adapters } as never, () => {}))();
    await rejection(create([{ adapter: foreign, scale: 1 }]), 'INVALID_ARGUMENT');
    await rejection(
      create([
        { adapter, scale: 1 },
        { adapter, scale: 1 },
      ]),
      'INVALID_ARGUMENT',
    );
    await rejection(create([{ adapter, scale: Number.NaN }]), 'INVALID_ARGUMENT');
    await rejection(create([{ adapter: model, scale: 1 }]), 'INVALID_HANDLE');
    await rejection(create(adapter), 'INVALID_ARGUMENT');
    const { handle } = await create([{ adapter, scale: 1 }]);
    await rejection(addon.loadAdapter(model, broadPath, ''), 'INVALID_ARGUMENT');
    await addon.closeContext(handle);
    await Promise.all([addon.closeModel(model), addon.closeModel(other)]); // though adapters are still held
    await rejection(create([]), 'CLOSED');
  });
});
