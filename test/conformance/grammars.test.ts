import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import { readMatchCases, readSchemaCases, trimGrammar } from '../helpers/vendored-grammar-cases.js';

const schemaCases = await readSchemaCases();
const matchCases = await readMatchCases();
const textCount = matchCases.reduce((sum, { passing, failing }) => sum + passing.length + failing.length, 0);

/** Their patterns have no grammar: llama.cpp takes any text in their place, which we refuse to do in silence. */
const stricter = [
  'unanchored regexp',
  'regexp with unsupported shorthand',
  'unsupported regexp in a property',
];

let equalGrammars = 0;
let equalMatches = 0;

afterAll(() => {
  console.log(
    `grammars: ${equalGrammars} of ${schemaCases.length - stricter.length} JSON schemas give the grammar that llama.cpp's test expects, ` +
      `${stricter.length} more with a pattern that it drops are refused, ` +
      `${equalMatches} of ${textCount} texts are taken or refused as it expects`,
  );
});

test('all cases of the vendored tests are read', () => {
  expect(schemaCases).toHaveLength(81);
  expect(matchCases).toHaveLength(45);
  expect(textCount).toBe(367);
});

describe('a JSON schema', () => {
  test.each(schemaCases)('$name', async ({ name, schema, grammar }) => {
    const made = getAddon().jsonSchemaToGrammar(schema);
    if (stricter.includes(name)) {
      await expect(made).rejects.toMatchObject({ code: 'INVALID_SCHEMA' });
      return;
    }
    if (grammar === undefined) await expect(made).rejects.toMatchObject({ code: 'INVALID_SCHEMA' });
    else expect(trimGrammar(await made)).toBe(trimGrammar(grammar));
    equalGrammars++;
  });
});

describe('the texts of a grammar', () => {
  let model: Model;
  let handle: ModelHandle;

  beforeAll(async () => {
    const path = await testModelPath();
    model = await loadModel(path, { vocabOnly: true });
    const addon = getAddon();
    const load = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
    handle = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
  });

  afterAll(async () => {
    await getAddon().closeModel(handle);
    await model.close();
  });

  test.each(matchCases)('$name ($kind)', async ({ kind, source, passing, failing }) => {
    const addon = getAddon();
    const grammar = kind === 'schema' ? await addon.jsonSchemaToGrammar(source) : source;
    const matches = async (text: string) => {
      const tokens = await model.tokenize(text, { addSpecial: false });
      return addon.matchesGrammar(handle, grammar, tokens);
    };
    for (const text of passing) expect(await matches(text), text).toBe(true);
    for (const text of failing) expect(await matches(text), text).toBe(false);
    equalMatches += passing.length + failing.length;
  });
});
