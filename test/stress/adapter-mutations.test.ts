import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { LlamaNativeError, loadModel } from '../../lib/index.js';
import { randomChanges, writeAdapter } from '../helpers/adapter-files.js';
import { mutateAdapter } from '../helpers/adapter-mutations.js';
import { MutatedFile } from '../helpers/gguf-mutated-file.js';
import { type MutationSeed, readSeed } from '../helpers/gguf-seeds.js';
import { writeTinyGenerator } from '../helpers/tiny-generator.js';

/** `LLAMA_NATIVE_ADAPTER_MUTATIONS` asks for more. */
const mutationCount = Number(process.env.LLAMA_NATIVE_ADAPTER_MUTATIONS ?? 300);
const lanes = 2;

/** Codes that say more of the engine than of the file. */
const failures = ['INTERNAL', 'ENGINE_CRASHED', 'ENGINE_START_FAILED'];

let directory: string;
let path: string;
let seed: MutationSeed;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'adapter-mutations-'));
  path = join(directory, 'tiny.gguf');
  await writeTinyGenerator(path);
  const header = await readGgufHeader(path);
  const targets = /(attn_q|ffn_up|ffn_down|token_embd|^output)\.weight$/;
  seed = await readSeed('adapter', await writeAdapter(header, randomChanges(header, { targets })));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** What became of a file: `loaded`, or the code of the error; in either case the process was closed. */
async function outcomeOf(adapter: string): Promise<string> {
  try {
    const model = await loadModel(path, {
      adapters: [adapter],
      isolate: true,
      threads: 1,
      contextSize: 256,
      batchSize: 64,
    });
    try {
      await model.generate('Hello', { maxTokens: 2, temperature: 0 }).result;
      await model.embed('Hello');
    } finally {
      await model.close();
    }
    return 'loaded';
  } catch (error) {
    if (!LlamaNativeError.isInstance(error)) return `foreign error: ${error}`;
    return failures.includes(error.code) ? `${error.code}: ${error.message}` : error.code;
  }
}

describe('loading damaged adapters', () => {
  it(`ends in a model or in a clear error for ${mutationCount} mutations, and in no crash`, async () => {
    const counts = new Map<string, number>();
    const findings: string[] = [];
    const runLane = async (lane: number) => {
      const file = await MutatedFile.create(join(directory, `mutated-${lane}.gguf`), seed);
      expect(await outcomeOf(file.path)).toBe('loaded');
      for (let index = lane; index < mutationCount; index += lanes) {
        const mutation = mutateAdapter(seed, index);
        await file.apply(mutation);
        const outcome = await outcomeOf(file.path);
        if (/[^A-Z_]/.test(outcome) && outcome !== 'loaded') findings.push(`${mutation.name}: ${outcome}`);
        else counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      }
      await file.close();
    };
    await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(lane)));

    console.info([...counts].map(([kind, count]) => `${kind} ${count}`).join(', '));
    expect(findings).toEqual([]);
    // A mutation that changes nothing that matters still loads; if none did, the seed or the check were wrong.
    for (const outcome of ['loaded', 'MODEL_INVALID', 'MODEL_UNSUPPORTED', 'ADAPTER_MISMATCH']) {
      expect(counts.get(outcome), outcome).toBeGreaterThan(mutationCount / 30);
    }
  }, 600_000);
});
