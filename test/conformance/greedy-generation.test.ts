import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import {
  completeGreedily,
  completeGreedilyWithTokens,
  type ReferenceSettings,
} from '../helpers/llama-tools.js';
import { testModelPath } from '../helpers/model.js';

const maxTokens = 64;
const settings = { contextSize: 2048, batchSize: 512, threads: 1 };

const prompts = {
  'a fact': 'The capital of France is',
  'a story': 'Once upon a time in a small village,',
  numbers: '1 2 3 5 8 13 21',
  Chinese: '中文是一种美丽的语言。请用中文写一首短诗：',
  'Chinese, Japanese and emoji': '"Hello world" is\n你好，世界 😀\nこんにちは世界 🌏\nand in French',
  'emoji joined from several': '🚀🌍👩‍🚀 Emojis are fun because',
  Greek: 'Τι είναι η φιλοσοφία;',
  Python: 'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n',
  SQL: 'SELECT name, email FROM users WHERE',
  JSON: '{"name": "Alice", "age": 30, "hobbies": [',
  'a chat, with control tokens':
    '<|im_start|>user\nWhat is the tallest mountain?<|im_end|>\n<|im_start|>assistant\n',
  'backslashes, which stay as they are':
    'A regular expression for a number is \\d+\\.\\d* and for a tab \\t and',
  'more tokens than one batch holds': Array.from(
    { length: 90 },
    (_, index) => `${index + 1}. Item ${index + 1}\n`,
  ).join(''),
} as const;

const cases = Object.entries(prompts).map(([name, prompt]) => ({ name, prompt }));

/** Leaves out a character that the token limit has cut. */
function wholeCharacters(text: string): string {
  return text.replace(/\uFFFD+$/, '');
}

describe(`${maxTokens} greedy tokens of the test model`, () => {
  let model: Model;
  let reference: ReferenceSettings;
  let equalTexts = 0;
  let equalTokens = 0;

  beforeAll(async () => {
    const modelPath = await testModelPath();
    reference = { modelPath, ...settings };
    model = await loadModel(modelPath, settings);
  });

  afterAll(async () => {
    await model.close();
    console.log(
      `greedy generation: ${equalTexts} of ${cases.length} texts equal, ${equalTokens} also token by token`,
    );
  });

  test.each(cases)('after $name are those of llama-completion', { timeout: 300_000 }, async ({ prompt }) => {
    const expected = await completeGreedily(reference, prompt, maxTokens);
    const result = await model.generate(prompt, { temperature: 0, maxTokens, parseSpecial: true }).result;
    expect(wholeCharacters(result.text)).toBe(wholeCharacters(expected.bytes.toString('utf8')));
    expect(result.finishReason).toBe(expected.ended ? 'stop' : 'length');
    if (!expected.ended) expect(result.tokens).toHaveLength(maxTokens);
    equalTexts++;

    const withTokens = await completeGreedilyWithTokens(reference, prompt, maxTokens);
    if (!withTokens.bytes.equals(expected.bytes)) return; // a near tie fell the other way; see there
    const promptTokens = await model.tokenize(prompt, { addSpecial: true, parseSpecial: true });
    const answer = withTokens.ended ? withTokens.tokens.slice(0, -1) : withTokens.tokens;
    expect([...promptTokens, ...result.tokens]).toEqual(answer);
    equalTokens++;
  });

  test('are compared token by token for most prompts', () => {
    expect(equalTokens).toBeGreaterThanOrEqual(cases.length - 2);
  });
});
