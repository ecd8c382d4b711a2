import { open, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { FileBytes } from '../../lib/gguf/byte-source.js';
import type { GgufHeader, GgufTensorInput, GgufValueInput } from '../../lib/gguf/index.js';
import { readGgufHeader as readFileHeader } from '../../lib/gguf/index.js';
import { readHeaderFrom } from '../../lib/gguf/read-header.js';
import { readGgufHeaders, readGgufMetadata, readHeaderWith } from '../../lib/inspect/read-model-header.js';
import { filledTensor, rejection, text, uint32, writeTinyModel } from '../helpers/gguf-files.js';
import { MutatedFile } from '../helpers/gguf-mutated-file.js';
import { mutate } from '../helpers/gguf-mutations.js';
import { readSeed } from '../helpers/gguf-seeds.js';
import { commit, fastTuning, startHub, temporaryDirectory } from '../helpers/hub-fixtures.js';

const repository = 'maker/tiny-GGUF';
const file = 'tiny-Q4_K_M.gguf';

function texts(value: readonly string[]): GgufValueInput {
  return { type: 'array', elementType: 'string', value };
}

/** A model with a vocabulary of so many tokens and merges, and some weights behind them. */
async function modelWith(tokens: number, weightBytes = 20_000_000, tokenLength = 0): Promise<string> {
  const words = Array.from({ length: tokens }, (_, index) => `token ${index}`.padEnd(tokenLength, '-'));
  const weights: GgufTensorInput[] = [filledTensor('weights', [weightBytes / 4], 'F32', weightBytes)];
  const changes = {
    'tokenizer.ggml.tokens': texts(words),
    'tokenizer.ggml.merges': texts(words.map((word) => `${word} x`)),
    'tokenizer.ggml.scores': undefined,
    'tokenizer.ggml.token_type': undefined,
  };
  return writeTinyModel(changes, weights, file);
}

async function prepare(path: string, names: readonly string[] = [file]) {
  const bytes = await readFile(path);
  const files = Object.fromEntries(names.map((name) => [name, bytes]));
  const hub = await startHub({ [repository]: { commit, files } });
  hub.files[file] = { body: bytes };
  const options = { cacheDirectory: await temporaryDirectory(), endpoint: hub.url, offline: false };
  const read = (source: string, more = {}) => readHeaderWith(source, { ...options, ...more }, fastTuning);
  return { hub, bytes, options, read, url: `${hub.url}/files/${file}` };
}

function contentOf({ metadata, tensors, dataOffset, fileSize }: GgufHeader) {
  const tokens = metadata.get('tokenizer.ggml.tokens')?.value;
  return {
    keys: [...metadata.keys()],
    words: [...(tokens as Iterable<string>)],
    tensors,
    dataOffset,
    fileSize,
  };
}

describe('the header of a remote file', () => {
  it('is that of the file, for one request and little more than its own bytes', async () => {
    const path = await modelWith(260_000, 60_000_000);
    const { hub, read } = await prepare(path);
    hub.misbehaviour.bytesPerSecond = 20e6; // faster, and buffers on the way take in more than is read
    const header = await read(`hf:${repository}:${file}`);
    expect(contentOf(header)).toEqual(contentOf(await readFileHeader(path)));
    expect(header.path).toBe(`hf:${repository}:${file}`);
    expect(hub.downloads).toHaveLength(1);
    expect(hub.downloads[0]?.range).toBe('bytes=0-33554431');
    expect(hub.downloads[0]?.sentBytes).toBeLessThan(header.dataOffset + 16_000_000);
    expect(hub.requests.filter(({ path: asked }) => asked.startsWith('/api'))).toEqual([]);
  });

  it('is read no further than twice its own length', async () => {
    const path = await modelWith(260_000, 60_000_000);
    const handle = await open(path);
    const bytes = new FileBytes(path, handle, (await handle.stat()).size);
    let taken = 0;
    const header = await readHeaderFrom({
      name: path,
      sizeBytes: bytes.sizeBytes,
      firstReadBytes: 256 * 1024, // as of a remote file
      async readInto(target, start) {
        await bytes.readInto(target, start);
        taken = Math.max(taken, start + target.length);
      },
    });
    await handle.close();
    expect(taken).toBeGreaterThanOrEqual(header.dataOffset);
    expect(taken).toBeLessThan(2 * header.dataOffset);
  });

  it('takes two requests where it is longer than one range', async () => {
    const path = await modelWith(60_000, 4_000, 300);
    const { hub, read, url } = await prepare(path);
    const header = await read(url);
    expect(header.dataOffset).toBeGreaterThan(32 * 1024 * 1024);
    expect(contentOf(header).words).toHaveLength(60_000);
    expect(hub.downloads).toHaveLength(2);
  });

  it('is found by its quantization, at a web address, and in a server that ignores ranges', async () => {
    const path = await modelWith(1_000);
    const { hub, read, url } = await prepare(path);
    const expected = contentOf(await readFileHeader(path));
    expect(contentOf(await read(`hf:${repository}:Q4_K_M`))).toEqual(expected);
    expect(contentOf(await read(url))).toEqual(expected);
    hub.misbehaviour.ignoresRange = true;
    hub.requests.length = 0;
    expect(contentOf(await read(url))).toEqual(expected);
    expect(hub.downloads).toHaveLength(1);
    expect(hub.downloads[0]?.sentBytes).toBeLessThan(12_000_000);
  });

  it('survives connections that are cut, and continues where they were', async () => {
    const path = await modelWith(50_000, 4_000);
    const { hub, read, url } = await prepare(path);
    const expected = contentOf(await readFileHeader(path));
    hub.misbehaviour.cutAfterBytes = [100_000, 300_000, 5];
    expect(contentOf(await read(url))).toEqual(expected);
    expect(hub.downloads.map(({ range }) => range)).not.toContain(undefined);
    expect(new Set(hub.downloads.map(({ range }) => range)).size).toBeGreaterThan(2);
    hub.misbehaviour = { ignoresRange: true, cutAfterBytes: [100_000, 300_000] };
    expect(contentOf(await read(url))).toEqual(expected);
  });

  it('is read from the cache where the model is there', async () => {
    const path = await modelWith(100, 4_000);
    const { hub, options, read } = await prepare(path);
    const { resolveModelWith } = await import('../../lib/hub/resolve-model.js');
    const cached = await resolveModelWith(`hf:${repository}:Q4_K_M`, options, fastTuning);
    hub.requests.length = 0;
    expect((await read(`hf:${repository}:Q4_K_M`)).path).toBe(cached);
    expect(hub.requests).toEqual([]);
  });

  it('gets the token of its hub, and none of its storage', async () => {
    const { hub, read } = await prepare(await modelWith(10, 4_000));
    const entry = hub.repositories[repository];
    if (entry !== undefined) entry.token = 'secret';
    await rejection(read(`hf:${repository}:${file}`), 'REPOSITORY_NOT_FOUND');
    hub.requests.length = 0;
    await read(`hf:${repository}:${file}`, { token: 'secret' });
    expect(hub.requests.map(({ origin, authorization }) => [origin, authorization])).toEqual([
      ['hub', 'Bearer secret'],
      ['storage', undefined],
    ]);
  });

  it('comes with those of the other parts of a split model', async () => {
    const part = (index: number) =>
      writeTinyModel(
        {
          'split.no': { type: 'uint16', value: index },
          'split.count': { type: 'uint16', value: 2 },
          'general.name': text(`part ${index}`),
          'llama.block_count': uint32(index + 1),
        },
        [],
      );
    const { hub, options } = await prepare(await part(0), ['x-Q8_0-00001-of-00002.gguf']);
    const files = hub.repositories[repository]?.files ?? {};
    const first = `hf:${repository}:Q8_0`;
    const missing = readGgufHeaders(`hf:${repository}:x-Q8_0-00001-of-00002.gguf`, options);
    await rejection(missing, 'FILE_NOT_IN_REPOSITORY');
    files['x-Q8_0-00002-of-00002.gguf'] = await readFile(await part(1));
    const headers = await readGgufHeaders(first, { ...options, cacheDirectory: await temporaryDirectory() });
    expect(headers.map(({ metadata }) => metadata.get('general.name')?.value)).toEqual(['part 0', 'part 1']);
    expect((await readGgufMetadata(first, options)).splitCount).toBe(2);
  });

  it.each<[string, object, string]>([
    ['the server has nothing there', { failures: [{ status: 404 }] }, 'MODEL_NOT_FOUND'],
    ['it needs access rights', { failures: [{ status: 403 }] }, 'UNAUTHORIZED'],
    ['the server fails again and again', { failures: Array(9).fill({ status: 503 }) }, 'DOWNLOAD_FAILED'],
    ['every connection is cut at once', { cutAfterBytes: Array(20).fill(0) }, 'DOWNLOAD_FAILED'],
    ['the server sends nothing more', { stallsAfterBytes: 0 }, 'DOWNLOAD_FAILED'],
  ])('ends in an error of its kind when %s', async (_name, misbehaviour, code) => {
    const { hub, options, url } = await prepare(await modelWith(1_000, 4_000));
    hub.misbehaviour = misbehaviour;
    await rejection(
      readHeaderWith(url, options, { ...fastTuning, idleTimeoutMs: 50, headersTimeoutMs: 50 }),
      code,
    );
  });

  it('refuses options it does not know, and what is not there offline', async () => {
    const { read, url } = await prepare(await modelWith(10, 4_000));
    await rejection(read(url, { tokn: 'x' }), 'INVALID_ARGUMENT');
    await rejection(read(url, { offline: true }), 'DOWNLOAD_FAILED');
    await rejection(read('ftp:x'), 'MODEL_NOT_FOUND');
  });

  it('ends at once when it is cancelled', async () => {
    const { hub, read, url } = await prepare(await modelWith(200_000));
    hub.misbehaviour.bytesPerSecond = 1_000;
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await rejection(read(url, { signal: controller.signal }), 'ABORTED');
  });

  it('ends in the same result as the file for 400 mutations of it', async () => {
    const seed = await readSeed('tiny', await modelWith(100, 4_000));
    const { hub, read, url } = await prepare(await modelWith(10, 4_000));
    const mutated = await MutatedFile.create(`${await temporaryDirectory()}/mutated.gguf`, seed);
    const outcome = (reading: Promise<GgufHeader>) =>
      reading.then(
        ({ tensors }) => `${tensors.length} tensors`,
        (error: { code?: string }) => error.code ?? String(error),
      );
    const counts = new Map<string, number>();
    for (let index = 0; index < 400; index++) {
      await mutated.apply(mutate(seed, index));
      hub.files[file] = { body: await readFile(mutated.path) };
      const expected = await outcome(readFileHeader(mutated.path));
      expect(await outcome(read(url))).toBe(expected);
      counts.set(expected, (counts.get(expected) ?? 0) + 1);
    }
    await mutated.close();
    expect(counts.get('MODEL_INVALID')).toBeGreaterThan(40);
    expect([...counts.keys()].every((kind) => /tensors$|^MODEL_(INVALID|UNSUPPORTED)$/.test(kind))).toBe(
      true,
    );
  });
});
