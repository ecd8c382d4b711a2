import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../../lib/gguf/byte-source.js';
import { type GgufHeader, GgufStringArray, type GgufValueInput } from '../../lib/gguf/index.js';
import { readHeaderFrom } from '../../lib/gguf/read-header.js';
import { rejection, writeTinyModel } from '../helpers/gguf-files.js';

const texts = (value: readonly string[]): GgufValueInput => ({ type: 'array', elementType: 'string', value });
const words = Array.from({ length: 300 }, (_, index) =>
  index % 7 === 0 ? '' : '字母 '.repeat(index % 11) + index,
);

/** A file in memory that gives its bytes one turn later, and notes what is asked for. */
class SlowBytes implements ByteSource {
  readonly name = 'slow';
  readonly sizeBytes: number;
  readonly asked: [start: number, end: number][] = [];
  reading = 0;
  readonly #bytes: Buffer;
  readonly #failsFrom: number;

  constructor(
    bytes: Buffer,
    readonly firstReadBytes: number,
    readonly stepBytes: number,
    readonly roomBytes: number,
    failsFrom = Number.POSITIVE_INFINITY,
  ) {
    this.#bytes = bytes;
    this.#failsFrom = failsFrom;
    this.sizeBytes = bytes.length;
  }

  async readInto(target: Uint8Array, start: number): Promise<void> {
    this.asked.push([start, start + target.length]);
    this.reading++;
    await nextTurn();
    this.reading--;
    if (start + target.length > this.#failsFrom) throw new Error('the disk is broken');
    target.set(this.#bytes.subarray(start, start + target.length));
  }
}

async function modelBytes(): Promise<Buffer> {
  const changes = {
    'tokenizer.ggml.tokens': texts(words),
    'tokenizer.ggml.merges': texts(words.map((word) => `${word} x`)),
    'tokenizer.ggml.scores': undefined,
    'tokenizer.ggml.token_type': undefined,
  };
  return readFile(await writeTinyModel(changes));
}

function contentOf({ metadata, tensors, dataOffset }: GgufHeader) {
  const values = [...metadata].map(([key, { value }]) => [
    key,
    value instanceof GgufStringArray ? [...value] : value,
  ]);
  return { values, tensors, dataOffset };
}

describe('a header that comes in pieces', () => {
  it('is the same however long they are, and whether memory must be moved', async () => {
    const bytes = await modelBytes();
    const whole = contentOf(await readHeaderFrom(new SlowBytes(bytes, bytes.length, 1, 0)));
    expect(new Map(whole.values as [string, unknown][]).get('tokenizer.ggml.tokens')).toEqual(words);
    for (const [first, step, room] of [
      [4, 1, 1],
      [5, 13, 1_000_000],
      [100, 64, 0],
      [1000, 100, 5000],
      [3000, 7000, 20_000],
    ] as const) {
      const source = new SlowBytes(bytes, first, step, room);
      expect(contentOf(await readHeaderFrom(source)), `${first}, ${step}, ${room}`).toEqual(whole);
      expect(source.reading).toBe(0);
    }
  });

  it('is read piece after piece, each once, and little further than it goes', async () => {
    const bytes = await modelBytes();
    const source = new SlowBytes(bytes, 500, 700, 100_000);
    const { dataOffset } = await readHeaderFrom(source);
    const starts = source.asked.map(([start]) => start);
    const ends = source.asked.map(([, end]) => end);
    expect(starts).toEqual([0, ...ends.slice(0, -1)]);
    expect(ends.at(-1)).toBeGreaterThanOrEqual(dataOffset - 32);
    expect(ends.at(-1)).toBeLessThan(dataOffset + 2 * 700);
  });

  it('fails with what a needed piece fails with, and not for one that was read ahead in vain', async () => {
    const bytes = await modelBytes();
    const { dataOffset } = await readHeaderFrom(new SlowBytes(bytes, 500, 700, 100_000));
    const broken = new SlowBytes(bytes, 500, 700, 100_000, 2000);
    await expect(readHeaderFrom(broken)).rejects.toThrow('the disk is broken');
    expect(broken.reading).toBe(0);
    const brokenBehind = new SlowBytes(bytes, 500, 700, 100_000, dataOffset + 700);
    expect((await readHeaderFrom(brokenBehind)).dataOffset).toBe(dataOffset);
  });

  it('names the string that goes past the end of the file, wherever the pieces end', async () => {
    const bytes = await modelBytes();
    const place = bytes.indexOf('tokenizer.ggml.merges') + 'tokenizer.ggml.merges'.length + 16;
    bytes.writeUInt32LE(1, place + 4); // 4 GiB more than the first merge has
    for (const first of [place - 3, place + 5, bytes.length]) {
      const { message } = await rejection(
        readHeaderFrom(new SlowBytes(bytes, first, 50, 0)),
        'MODEL_INVALID',
      );
      expect(message).toContain("'tokenizer.ggml.merges' needs at least 42949");
    }
  });
});
