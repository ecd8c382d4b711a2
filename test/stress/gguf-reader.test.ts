import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LlamaNativeError } from '../../lib/errors.js';
import type { ByteSource } from '../../lib/gguf/byte-source.js';
import { estimateMemory, type GgufHeader, summarizeGguf } from '../../lib/gguf/index.js';
import { readHeaderFrom } from '../../lib/gguf/read-header.js';
import { findSpecialTokens } from '../../lib/gguf/special-tokens.js';
import { temporaryFile, writeTinyModel } from '../helpers/gguf-files.js';
import { mutate } from '../helpers/gguf-mutations.js';
import { type MutationSeed, readSeed, writeReducedModel } from '../helpers/gguf-seeds.js';
import { testModelPath } from '../helpers/model.js';
import { gemmaModel, lfm2Model, mambaModel } from '../helpers/model-shapes.js';

const mutationsOfEach = 1_000;
/** Of computing: other programs on the machine do not count. No header of these seeds takes more than some milliseconds. */
const longestMs = 2_000;

/** A file in memory: its header, and zeros behind it. Notes what a reader asks for. */
class BytesInMemory implements ByteSource {
  readonly name = 'in memory';
  readonly firstReadBytes = 64 * 1024;
  mostBytes = 0;
  readonly #header: Buffer;
  readonly #rest: Buffer;
  readonly sizeBytes: number;

  constructor(header: Buffer, rest: Buffer, sizeBytes: number) {
    this.#header = header;
    this.#rest = rest;
    this.sizeBytes = sizeBytes;
  }

  async readInto(target: Uint8Array, start: number): Promise<void> {
    this.mostBytes = Math.max(this.mostBytes, start + target.length);
    target.fill(0);
    if (start < this.#header.length) this.#header.copy(target, 0, start);
    const from = Math.max(start, this.#header.length);
    if (from < Math.min(start + target.length, this.#rest.length))
      this.#rest.copy(target, from - start, from);
  }
}

async function seedOf(name: string): Promise<MutationSeed> {
  const folder = dirname(await temporaryFile());
  const paths: Record<string, () => Promise<string>> = {
    SmolLM2: async () => writeReducedModel(await testModelPath(), folder, { tokens: 300, layers: 2 }),
    'a tiny Llama': () => writeTinyModel(),
    'a tiny Gemma 2': () => writeTinyModel(gemmaModel().hyperparameters),
    'a tiny LFM 2': () => writeTinyModel(lfm2Model().hyperparameters),
    'a tiny Mamba': () => writeTinyModel(mambaModel().hyperparameters),
  };
  return readSeed(name, (await paths[name]?.()) ?? '');
}

function use(header: GgufHeader): void {
  findSpecialTokens({ ...summarizeGguf(header), metadata: header.metadata });
  for (const slidingWindow of ['full', 'window'] as const) {
    const { totalBytes } = estimateMemory(header, { contextSize: 100_000, sequences: 64, slidingWindow });
    expect(totalBytes).toBeGreaterThanOrEqual(0);
  }
}

describe('reading damaged headers', () => {
  it.each(['SmolLM2', 'a tiny Llama', 'a tiny Gemma 2', 'a tiny LFM 2', 'a tiny Mamba'])(
    `ends in a header or in an error of its kind for ${mutationsOfEach} mutations of %s`,
    async (name) => {
      const seed = await seedOf(name);
      const counts = new Map<string, number>();
      for (let index = 0; index < mutationsOfEach; index++) {
        const mutation = mutate(seed, index);
        const source = new BytesInMemory(mutation.header, seed.bytes, mutation.fileSize);
        const before = process.cpuUsage();
        const outcome = await readHeaderFrom(source).then(
          (header) => {
            use(header);
            return 'read';
          },
          (error: unknown) => (LlamaNativeError.isInstance(error) ? error.code : String(error)),
        );
        counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
        expect(source.mostBytes, mutation.name).toBeLessThanOrEqual(mutation.fileSize);
        const { user, system } = process.cpuUsage(before);
        expect((user + system) / 1_000, mutation.name).toBeLessThan(longestMs);
      }
      const known = ['MODEL_INVALID', 'MODEL_UNSUPPORTED', 'read'];
      expect([...counts.keys()].filter((outcome) => !known.includes(outcome))).toEqual([]);
      expect(counts.get('read')).toBeGreaterThan(mutationsOfEach / 5);
    },
  );

  it('asks for no more than what it needs to see the damage, whatever a header announces', async () => {
    const huge = Buffer.alloc(64);
    huge.write('GGUF');
    huge.writeUInt32LE(3, 4);
    huge.writeBigUInt64LE(1n, 16); // one entry, whose key is as long as the rest of a terabyte
    huge.writeBigUInt64LE(2n ** 39n, 24);
    const source = new BytesInMemory(huge, Buffer.alloc(0), 2 ** 40);
    await expect(readHeaderFrom(source)).rejects.toMatchObject({ code: 'MODEL_INVALID' });
    expect(source.mostBytes).toBe(source.firstReadBytes);
  });
});
