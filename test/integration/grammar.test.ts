import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GenerateOptions, type JsonSchema, loadModel, type Model } from '../../lib/index.js';
import {
  type ContextHandle,
  getAddon,
  type ModelHandle,
  type NativeSamplingOptions,
} from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';

let path: string;
let model: Model;

beforeAll(async () => {
  path = await testModelPath();
  model = await loadModel(path, { contextSize: 2048, sequences: 4, threads: 1 });
});
afterAll(async () => {
  await model.close();
});

const person: JsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 20 },
    age: { type: 'integer', minimum: 0, maximum: 120 },
    languages: {
      type: 'array',
      items: { enum: ['English', '日本語', 'Français'] },
      minItems: 1,
      maxItems: 2,
    },
    married: { type: 'boolean' },
  },
  required: ['name', 'age', 'languages', 'married'],
  additionalProperties: false,
};

const greedy: GenerateOptions = { temperature: 0 };
const question = 'A person, written as JSON: ';

describe('a JSON schema', () => {
  it.each([
    ['greedy', greedy],
    ['with the defaults', { seed: 1 }],
    ['with all tokens', { topK: 0, topP: 1, minP: 0, temperature: 1.5, seed: 2 }],
    ['with top-p alone', { topK: 0, topP: 0.9, minP: 0, temperature: 2, seed: 3 }],
    ['with Mirostat', { mirostat: 2, seed: 4 }],
    ['with penalties and DRY', { repeatPenalty: 1.3, dryMultiplier: 0.8, temperature: 1, seed: 5 }],
  ] as const)('is kept, %s', async (_, options) => {
    const result = await model.generate(question, { jsonSchema: person, maxTokens: 300, ...options }).result;
    expect(result.finishReason).toBe('stop');
    const value = JSON.parse(result.text) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['name', 'age', 'languages', 'married']);
    expect(value.age).toBeLessThanOrEqual(120);
    expect(['English', '日本語', 'Français']).toEqual(expect.arrayContaining(value.languages as string[]));
    expect(typeof value.married).toBe('boolean');
  });

  it('holds no number that JavaScript cannot hold, however large the model would have it', async () => {
    const tokens = await Promise.all(['9', 'e'].map((text) => model.tokenize(text, { addSpecial: false })));
    const logitBias = Object.fromEntries(tokens.map(([token], index) => [token, 90 + index]));
    const { text } = await model.generate('1', {
      jsonSchema: { type: 'number' },
      logitBias,
      temperature: 0,
      maxTokens: 60,
    }).result;
    expect(text).toMatch(/^9+.*e/);
    expect(JSON.parse(text)).toBeLessThan(Number.MAX_VALUE);
  });

  it('shapes the answer of a chat', async () => {
    const chat = model.createChat({ temperature: 0, maxTokens: 60 });
    const jsonSchema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const { text } = await chat.send('What is the capital of France?', { jsonSchema }).result;
    expect(typeof (JSON.parse(text) as { city: unknown }).city).toBe('string');
  });

  it('with a pattern that cannot be expressed is refused by a chat, too', () => {
    const chat = model.createChat({ maxTokens: 20 });
    const jsonSchema = { type: 'string', pattern: '^(?=a)a$' };
    expect(() => chat.send('Hello', { jsonSchema })).toThrow(
      expect.objectContaining({ code: 'INVALID_SCHEMA' }),
    );
  });

  it.each([
    ['a grammar', { grammar: 'root ::= "yes" | "no"' }],
    ['a regular expression', { regex: /yes|no/ }],
    ['a choice', { choice: ['yes', 'no'] }],
  ])('may be %s of the caller, beside the template of a chat', async (_, options) => {
    const chat = model.createChat({ temperature: 0 });
    const { text } = await chat.send('Is Paris the capital of France?', options).result;
    expect(['yes', 'no']).toContain(text);
  });

  it('holds for each of several at once, and leaves the others free', async () => {
    const generations = [0, 1, 2, 3].map((seed) =>
      model.generate(question, { seed, maxTokens: 150, ...(seed % 2 === 0 && { jsonSchema: person }) }),
    );
    const results = await Promise.all(generations.map(({ result }) => result));
    for (const index of [0, 2]) expect(() => JSON.parse(results[index]?.text ?? '')).not.toThrow();
  });

  it.each([
    ['a keyword that a grammar cannot express', { type: 'string', not: { const: 'a' } }, /keyword not/],
    ['a reference to nothing', { $ref: '#/$defs/none' }, /\$ref "#\/\$defs\/none"/],
    ['a pattern with a look-ahead', { type: 'string', pattern: '^(?=a)a$' }, /pattern/],
  ])('with %s is refused by name', async (_, jsonSchema, message) => {
    const call = async () => model.generate('x', { jsonSchema, maxTokens: 1 }).result;
    await expect(call()).rejects.toMatchObject({
      code: 'INVALID_SCHEMA',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('a grammar', () => {
  it('ends the answer where its text is complete, also with ignoreEndOfSequence', async () => {
    for (const ignoreEndOfSequence of [false, true]) {
      const options = { ...greedy, grammar: 'root ::= "red" | "green"', ignoreEndOfSequence, maxTokens: 20 };
      const result = await model.generate('The colour of grass is ', options).result;
      expect(['red', 'green']).toContain(result.text);
      expect(result.finishReason).toBe('stop');
    }
  });

  it('does not let the answer end before', async () => {
    const options = { temperature: 3, seed: 1, grammar: 'root ::= [a-z ]{40}' };
    for (const topK of [0, 3]) {
      const { text } = await model.generate('Bye.', { ...options, topK }).result;
      expect(text).toMatch(/^[a-z ]{40}$/);
    }
  });

  it('works together with stop strings, maxTokens and log-probabilities', async () => {
    const grammar = 'root ::= ([0-9] " ")+';
    const counted = await model.generate('Count: ', { ...greedy, grammar, maxTokens: 8, logprobs: 2 }).result;
    expect(counted.tokens).toHaveLength(8);
    expect(counted.logprobs).toHaveLength(8);
    expect(counted.logprobs?.every(({ logprob, top }) => logprob <= (top[0]?.logprob ?? 0))).toBe(true);
    const [digit = ''] = counted.text;
    const stopped = await model.generate('Count: ', { ...greedy, grammar, stop: digit, maxTokens: 8 }).result;
    expect(stopped).toMatchObject({ finishReason: 'stop', stopString: digit });
  });

  it('of characters in several bytes is kept', async () => {
    const { text } = await model.generate('日本: ', {
      grammar: 'root ::= [あ-ん]{5} "🙂" [^a-z]{3}',
      temperature: 2,
      seed: 7,
    }).result;
    expect(text).toMatch(/^[あ-ん]{5}🙂[^a-z]{3}$/u);
  });

  it('may name tokens', async () => {
    const [token = 0] = await model.tokenize(' Paris', { addSpecial: false });
    const { text } = await model.generate('x', { ...greedy, grammar: `root ::= <[${token}]> "!"` }).result;
    expect(text).toBe(' Paris!');
  });

  it.each(readdirSync(vendoredPath('grammars')).filter((name) => name.endsWith('.gbnf')))(
    'such as llama.cpp’s %s is followed',
    async (name) => {
      const grammar = await readVendored('grammars', name);
      const result = await model.generate('The', { grammar, maxTokens: 12, temperature: 1, seed: 3 }).result;
      expect(result.tokens.length + (result.finishReason === 'stop' ? 1 : 0)).toBeGreaterThan(0);
    },
  );

  it.each([
    ['a missing bracket', 'root ::= ("a"', /expected \) at line 1, column 14/],
    ['an unknown rule', 'root ::= other', /other is used but not defined/],
    ['no root', 'rot ::= "a"', /no rule named root/],
    ['left recursion', 'root ::= "a" | root "a"', /begins with itself/],
    [
      'left recursion behind what may be empty',
      'root ::= b root "x" | "y"\nb ::= c\nc ::= ""',
      /begins with itself/,
    ],
    ['an escape nobody knows', 'root ::= "\\q"', /unknown escape/],
    ['a token that the vocabulary lacks', 'root ::= <no such token>', /llama\.cpp refused/],
    ['another notation', '%llguidance {}', /GBNF/],
    ['20 000 brackets', `root ::= ${'('.repeat(20_000)}"a"${')'.repeat(20_000)}`, /500 nested/],
    ['endless repetitions', 'root ::= ("a"{0,1000}){0,1000}', /repetitions/],
    ['a long text a thousand times', `root ::= "${'a'.repeat(5000)}"{1999}`, /too large/],
    [
      'too many ways to begin',
      `${Array.from({ length: 40 }, (_, i) => `r${i} ::= r${i + 1} "p" | r${i + 1} "q"`).join('\n')}\nr40 ::= "x"\nroot ::= r0`,
      /more than 10000 ways/,
    ],
    ['two megabytes', `root ::= "${'a'.repeat(2_000_000)}"`, /at most 1048576 bytes/],
  ])('with %s fails alone, with the reason', async (_, grammar, message) => {
    const neighbour = model.generate('Once upon a time', { ...greedy, maxTokens: 5 });
    await expect(model.generate('x', { grammar, maxTokens: 5 }).result).rejects.toMatchObject({
      code: 'INVALID_GRAMMAR',
      message: expect.stringMatching(message) as string,
    });
    expect((await neighbour.result).tokens).toHaveLength(5);
  });

  it('that comes to a point where nothing is allowed fails alone', async () => {
    const neighbour = model.generate('Once upon a time', { ...greedy, maxTokens: 10 });
    for (const options of [greedy, {}, { topK: 0 }]) {
      const generation = model.generate('x', { grammar: 'root ::= "abc" [z-a]', ...options });
      await expect(generation.result).rejects.toMatchObject({ code: 'NO_TOKEN_ALLOWED' });
    }
    expect((await neighbour.result).tokens).toHaveLength(10);
  });

  it('is refused beside a JSON schema, and when it is no text', () => {
    for (const options of [
      { grammar: 'root ::= "a"', jsonSchema: person },
      { grammar: '' },
      { grammar: 5 as never },
    ]) {
      expect(() => model.generate('x', options)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
  });

  it('is kept by tokens that were guessed ahead', async () => {
    const speculative = await loadModel(path, {
      contextSize: 1024,
      threads: 1,
      speculative: { ngramSize: 2 },
    });
    const options = {
      ...greedy,
      grammar: 'root ::= ("red, " | "green, " | "blue, "){12} "end"',
      maxTokens: 80,
    };
    const list = 'red, green, blue, red, green, blue, red, green, blue, ';
    const guessed = await speculative.generate(list, options).result;
    await speculative.close();
    expect(guessed.text).toMatch(/^((red|green|blue), ){12}end$/);
    expect(guessed.text).toBe((await model.generate(list, options).result).text);
  });

  it('can be cancelled while it is being read', async () => {
    const generation = model.generate('x', { jsonSchema: person, signal: AbortSignal.timeout(1) });
    await expect(generation.result).rejects.toMatchObject({ code: 'ABORTED' });
    expect((await model.generate('x', { ...greedy, maxTokens: 2 }).result).tokens).toHaveLength(2);
  });
});

describe('the short cuts under a grammar', () => {
  let handle: ModelHandle;
  let native: ContextHandle;
  beforeAll(async () => {
    const addon = getAddon();
    const load = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
    handle = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
    const sizes = { contextSize: 512, batchSize: 64, sequences: 1, threads: 1 };
    native = (await addon.createContext(handle, sizes, () => {})).handle;
  });
  afterAll(async () => {
    await getAddon().closeContext(native);
    await getAddon().closeModel(handle);
  });

  /** Draws from the same logits again and again, while the grammar goes on. */
  async function drawWith(options: NativeSamplingOptions, count: number): Promise<(number | string)[]> {
    const addon = getAddon();
    const sampler = await addon.createSampler(handle, options);
    const drawn: (number | string)[] = [];
    try {
      for (let i = 0; i < count; i++) drawn.push(await addon.sample(native, sampler, -1));
    } catch (error) {
      drawn.push((error as { code: string }).code);
    } finally {
      addon.closeSampler(sampler);
    }
    return drawn;
  }

  it('choose what llama.cpp chooses, which asks the grammar about every token', async () => {
    const grammars = [
      await getAddon().jsonSchemaToGrammar(JSON.stringify(person)),
      await readVendored('grammars', 'json.gbnf'),
      await readVendored('grammars', 'chess.gbnf'),
      await readVendored('grammars', 'japanese.gbnf'),
      'root ::= [^é"]+',
      'root ::= ("a"? )* "bc" [0-9]{2,3} .+',
      'root ::= "\\u65E5" ("本" | "é" | "🙂")+ "x"',
    ];
    const settings = [
      { temperature: 0 },
      { temperature: 1, topK: 40, topP: 0.95, minP: 0 },
      { temperature: 1.5, topK: 200, topP: 1, minP: 0, repeatPenalty: 1.2 },
      { temperature: 1, topK: 0, topP: 0.9, minP: 0 },
      { temperature: 1, topK: 0, topP: 1, minP: 0.01, presencePenalty: 1 },
      { temperature: 1, topK: 0, topP: 1, minP: 0 },
    ];
    for (const [position, text] of ['{', 'The', 'Hello, I am'].entries()) {
      await getAddon().eval(native, await model.tokenize(text), 0, -1, false);
      for (const grammar of grammars) {
        for (const setting of settings) {
          const options = { ...setting, grammar, seed: position + 1 };
          const [short, exact] = [
            await drawWith(options, 8),
            await drawWith({ ...options, exactChain: true }, 8),
          ];
          expect(short, `${text}: ${grammar.slice(0, 30)} ${JSON.stringify(setting)}`).toEqual(exact);
        }
      }
    }
  });
});
