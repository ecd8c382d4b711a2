import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';
import { projectPath } from '../helpers/vendored.js';

const vocabularies = ['deepseek-llm', 'deepseek-coder', 'gpt-neox', 'aquila', 'falcon'];

describe('a long run of one kind of character', () => {
  // Each of these crashed from about 27 000 characters on: their regular expressions recurse for each one.
  it.each(vocabularies)('is tokenized with the vocabulary of %s', async (name) => {
    const model = await loadModel(`${projectPath}/vendor/llama.cpp/models/ggml-vocab-${name}.gguf`, {
      vocabOnly: true,
    });
    for (const character of ['a', '7', '!', '中']) {
      const tokens = await model.tokenize(character.repeat(50_000));
      expect(tokens.length).toBeGreaterThan(0);
      await expect(model.tokenize(character.repeat(70_000))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
      expect(() => model.tokenizeSync(character.repeat(50_000))).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('tokenize()') }),
      );
    }
    await model.close();
  });
});

describe('many calls at once', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(await testModelPath(), { vocabOnly: true });
  });
  afterAll(async () => {
    await model.close();
  });

  it('do not start a thread each', async () => {
    const { readdir } = await import('node:fs/promises');
    const countThreads = async () =>
      process.platform === 'linux' ? (await readdir('/proc/self/task')).length : 0;
    const before = await countThreads();
    const calls = Array.from({ length: 2000 }, (_, n) => model.tokenize(`text number ${n}`));
    const during = await countThreads();
    const results = await Promise.all(calls);
    expect(results.every((tokens) => tokens.length > 0)).toBe(true);
    expect(during - before).toBeLessThanOrEqual(20);
  });
});
