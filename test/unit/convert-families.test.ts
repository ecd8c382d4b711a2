import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeText } from '../../lib/convert/tokenizer/encode/encode-text.js';
import { hashOfIds } from '../../lib/convert/tokenizer/pre-tokenizer.js';
import { probeText } from '../../lib/convert/tokenizer/probe-text.js';
import { TokenizerFiles } from '../../lib/convert/tokenizer/tokenizer-files.js';
import { convert } from '../../lib/index.js';
import { smallCheckpoints, writeSmallCheckpoint } from '../helpers/checkpoint-families.js';
import { digestGguf, type GgufDigest } from '../helpers/gguf-digest.js';

const types = ['f32', 'f16', 'bf16', 'q8_0'] as const;

type References = Record<string, Record<(typeof types)[number], GgufDigest> & { probeHash: string | null }>;

const fixture = new URL('../fixtures/convert-references.json', import.meta.url);
const kept = process.env.CONVERT_CHECKPOINTS;
let parent: string;
let references: References = {};

beforeAll(async () => {
  parent = kept ?? (await mkdtemp(join(tmpdir(), 'convert-families-')));
  if (existsSync(fixture)) references = JSON.parse(await readFile(fixture, 'utf8')).references;
  for (const checkpoint of smallCheckpoints) await writeSmallCheckpoint(parent, checkpoint);
  const names = smallCheckpoints.map(({ name, preTokenizer }) => [name, preTokenizer]);
  await writeFile(join(parent, 'pre-tokenizers.json'), JSON.stringify(Object.fromEntries(names)));
});

afterAll(async () => {
  if (kept === undefined) await rm(parent, { recursive: true, force: true });
});

/** Floats are recorded by their bits where they are not whole. */
function withoutFloats(metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => {
      const [, number] = /^float32 (.*)$/.exec(String(value)) ?? [];
      return [key, number === undefined ? value : toNumber(number)];
    }),
  );
}

function toNumber(text: string): number {
  const [, sign, whole, fraction = '', exponent] = /^(-?)0x([01])\.?([0-9a-f]*)p([+-]\d+)$/.exec(text) ?? [];
  if (whole === undefined) return Math.fround(Number(text));
  const mantissa = Number.parseInt(whole + fraction, 16) / 16 ** fraction.length;
  return (sign === '-' ? -1 : 1) * mantissa * 2 ** Number(exponent);
}

describe.each(smallCheckpoints)('a checkpoint like $name', ({ name }) => {
  test.each(types)('becomes the file that llama.cpp makes of it, as %s', async (type) => {
    const output = join(parent, `${name}.gguf`);
    await convert(join(parent, name), output, { type, overwrite: true });
    const digest = await digestGguf(output);
    await rm(output);
    const reference = references[name]?.[type];
    expect(digest.tensors).toEqual(reference?.tensors);
    expect(withoutFloats(digest.metadata)).toEqual(withoutFloats(reference?.metadata ?? {}));
  });

  test('has a tokenizer whose tokens of the probe text have the hash that llama.cpp computes', async () => {
    const expected = references[name]?.probeHash;
    const files = await TokenizerFiles.read(join(parent, name), {});
    const encoded =
      files.json === undefined || files.model === undefined
        ? undefined
        : encodeText(probeText, files.json, files.model);
    const hash = encoded === undefined ? undefined : hashOfIds(encoded.idsWithSpecial);
    // Vocabularies with scores are not cut, so llama.cpp computes none for them.
    if (expected !== null) expect(hash).toBe(expected);
    else expect(files.pieces !== undefined || files.model?.byteFallback).toBe(true);
  });
});
