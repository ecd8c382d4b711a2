import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { readVocabularyCases } from '../helpers/vendored-tokenizer-cases.js';

const vocabularies = await readVocabularyCases();

describe('the vocabularies of llama.cpp', () => {
  let equal = 0;
  const total = vocabularies.reduce((sum, { cases }) => sum + cases.length, 0);

  afterAll(() => {
    console.log(`tokenizers: ${equal} of ${total} cases equal, ${vocabularies.length} vocabularies`);
  });

  test('are 15 with 694 cases', () => {
    expect(vocabularies).toHaveLength(15);
    expect(total).toBe(694);
  });

  test.each(vocabularies)(
    '$name turns every text into the ids llama.cpp expects',
    async ({ path, cases }) => {
      await using model = await loadModel(path, { vocabOnly: true });
      const results = await Promise.all(
        cases.map(async ({ text }) => ({
          text,
          tokens: [...(await model.tokenize(text, { addSpecial: false, parseSpecial: false }))],
        })),
      );
      expect(results).toEqual(cases);
      equal += results.length;
    },
  );
});

// What tests/test-tokenizer-1-spm.cpp checks, for the one vocabulary that llama.cpp runs it on.
describe('the vocabulary llama-spm', () => {
  let model: Model;

  beforeAll(async () => {
    const vocabulary = vocabularies.find(({ name }) => name === 'llama-spm');
    if (!vocabulary) throw new Error('ggml-vocab-llama-spm.gguf is not among the vendored vocabularies');
    model = await loadModel(vocabulary.path, { vocabOnly: true });
  });

  afterAll(async () => {
    await model.close();
  });

  /** Tokenizes as the vendored test does, and writes the tokens as text again. */
  async function roundTrip(text: string): Promise<string> {
    const tokens = await model.tokenize(text, { addSpecial: false, parseSpecial: true });
    return model.detokenize(tokens, { renderSpecial: true });
  }

  test('gives back the text of each of its 32 000 tokens', async () => {
    const { vocabularySize } = model.metadata;
    expect(vocabularySize).toBe(32_000);
    const changed: { token: number; text: string; again: string }[] = [];
    for (let token = 0; token < vocabularySize; token++) {
      const text = await model.detokenize([token], { renderSpecial: true });
      const again = await roundTrip(text);
      if (again !== text) changed.push({ token, text, again });
    }
    expect(changed).toEqual([]);
  });

  test('gives back every character of Unicode', async () => {
    const changed: string[] = [];
    let characters = 0;
    for (const block of unicodeBlocks(256)) {
      characters += block.length;
      const text = String.fromCodePoint(...block);
      if ((await roundTrip(text)) !== text) changed.push(`from U+${block[0]?.toString(16)}`);
    }
    expect(changed).toEqual([]);
    // All of U+0000 to U+10FFFF but 2 048 surrogates, 655 361 code points without characters, and U+2581.
    expect(characters).toBe(0x110000 - 2048 - 655_361 - 1);
  });
});

/** The code points that the vendored test tries. U+2581 stands for a space in this kind of vocabulary. */
function* unicodeBlocks(size: number): Generator<number[]> {
  let block: number[] = [];
  for (let codePoint = 0; codePoint < 0x110000; codePoint++) {
    const surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
    const unassigned = codePoint >= 0x40000 && codePoint <= 0xe0000;
    if (surrogate || unassigned || codePoint === 0x2581) continue;
    block.push(codePoint);
    if (block.length === size) {
      yield block;
      block = [];
    }
  }
  if (block.length > 0) yield block;
}
