import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { regexGrammar } from '../../lib/generate/regex-grammar.js';
import { loadModel, type Model } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import { textsFor, wholeOf } from '../helpers/regex-texts.js';

let model: Model;
let vocabulary: ModelHandle;

beforeAll(async () => {
  const path = await testModelPath();
  model = await loadModel(path, { contextSize: 1024, sequences: 4, threads: 1 });
  const addon = getAddon();
  const load = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
  vocabulary = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
});
afterAll(async () => {
  await getAddon().closeModel(vocabulary);
  await model.close();
});

/** What admits any number of characters, and so those that are two without the flag u. */
const endless: readonly RegExp[] = [/.*/, /a[^b]+/, /[ -\uffff]*b?/];

const expressions: readonly RegExp[] = [
  ...endless,
  /[ -\ud7ff\ue000-\uffff]*/,
  /abc/,
  /^a+b*c?$/,
  /a|b|ca/,
  /^a|b$/,
  /(?:ab|c){2,3}/,
  /(?<year>\d{2})-(\d)/,
  /[a-c1]{1,4}/,
  /[^a-c]{1,2}/,
  /\w\s\W/,
  /\D\S?/,
  /a.c/,
  /a.c/s,
  /a.c/u,
  /a{2}b{1,}c{0,1}/,
  /a*?b+?c??/,
  /(a|)b/,
  /AbC[x-z]/i,
  /[^a]b/i,
  /\x61\u0062\t?/,
  /[\d-]b/,
  /[\]\\^-]+/,
  /a{,2}/,
  /x{0}b/,
  /é[à-ü]?/,
  /日本?/u,
  /(?:a(?:b(?:c|1))?)+/,
  /\u{1F600}b?/u,
  /[😀-😂a]/u,
  /\/\.\*/,
  /(?:)/,
];

describe('a regular expression as a grammar', () => {
  it.each(expressions.map((regex) => [String(regex), regex] as const))(
    'admits what %s matches, and nothing else',
    async (_, regex) => {
      const grammar = regexGrammar(regex);
      const whole = wholeOf(regex);
      const wrong: unknown[] = [];
      for (const text of textsFor(regex)) {
        const tokens = await model.tokenize(text, { addSpecial: false });
        const admitted = await getAddon().matchesGrammar(vocabulary, grammar, tokens);
        // Without the flag u an emoji is two characters to JavaScript, of which a model writes both or none; both only
        // where no bound could be broken.
        const isExpressible =
          regex.unicode || endless.includes(regex) || !/[\u{10000}-\u{10ffff}]/u.test(text);
        if (admitted !== (isExpressible && whole.test(text))) wrong.push({ text, admitted });
      }
      expect(wrong).toEqual([]);
    },
  );

  it('shapes what a model writes', async () => {
    const date = /(?:19|20)\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])/;
    const results = [1, 2, 3, 4].map(
      (seed) => model.generate('The date is ', { regex: date, seed, temperature: 1.5, maxTokens: 40 }).result,
    );
    for (const { text, finishReason } of await Promise.all(results)) {
      expect(finishReason).toBe('stop');
      expect(text).toMatch(new RegExp(`^${date.source}$`));
    }
  });
});

describe('a choice', () => {
  it('is one of the texts, whatever they hold', async () => {
    const choice = ['positive', 'negative', 'say "no" \\ \n', '不好', 'pos'];
    const results = [1, 2, 3, 4, 5, 6].map(
      (seed) => model.generate('The answer: ', { choice, seed, temperature: 3, maxTokens: 40 }).result,
    );
    for (const { text, finishReason } of await Promise.all(results)) {
      expect(finishReason).toBe('stop');
      expect(choice).toContain(text);
    }
  });
});
