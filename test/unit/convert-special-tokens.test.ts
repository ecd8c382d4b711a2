import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findSpecialTokens } from '../../lib/convert/tokenizer/special-tokens.js';
import { TokenizerFiles } from '../../lib/convert/tokenizer/tokenizer-files.js';
import { specialTokenCases, writeSpecialTokenCase } from '../helpers/special-token-cases.js';

const fixture = new URL('../fixtures/convert-special-tokens.json', import.meta.url);

/** Which kinds of tokens have which id, and which are put around texts. */
type Outcome = readonly [ids: Readonly<Record<string, number>>, areAdded: Readonly<Record<string, boolean>>];

test("special tokens are those that llama.cpp's SpecialVocab finds, whatever templates and names say", async () => {
  const kept = process.env.CONVERT_SPECIAL_TOKENS;
  const parent = kept ?? (await mkdtemp(join(tmpdir(), 'special-tokens-')));
  try {
    const references: Outcome[] = JSON.parse(await readFile(fixture, 'utf8').catch(() => '[]'));
    for (const [index, files] of specialTokenCases(500).entries()) {
      const folder = join(parent, String(index));
      await writeSpecialTokenCase(folder, files);
      const read = await TokenizerFiles.read(folder, files['config.json']);
      const { ids, areAdded } = findSpecialTokens(read, 500);
      const found: Outcome = [Object.fromEntries(ids), Object.fromEntries(areAdded)];
      if (kept === undefined) expect(found, JSON.stringify(files)).toEqual(references[index]);
    }
    if (kept !== undefined) return;
    expect(references.length).toBe(500);
    // Cases that all end alike would prove nothing.
    expect(new Set(references.map((reference) => JSON.stringify(reference))).size).toBeGreaterThan(200);
  } finally {
    if (kept === undefined) await rm(parent, { recursive: true, force: true });
  }
});
