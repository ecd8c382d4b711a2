import type { LanguageModelV4CallOptions, LanguageModelV4Prompt } from '@ai-sdk/provider';
import { describe, expect, it } from 'vitest';
import { embeddingModel, languageModel } from '../../lib/ai-sdk/index.js';
import { PartBlocks } from '../../lib/ai-sdk/part-blocks.js';
import type { ChatPart, ChatResult, Model } from '../../lib/index.js';
import { recordingModel } from '../helpers/recording-model.js';

const prompt: LanguageModelV4Prompt = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }];

async function ask(call: Partial<LanguageModelV4CallOptions>, answer?: Partial<ChatResult>) {
  const model = recordingModel(answer);
  const result = await languageModel(model).doGenerate({ prompt, ...call });
  const [asked] = model.asked;
  if (asked === undefined) throw new Error('The model was not asked.');
  return { ...asked, result };
}

const weather = {
  type: 'function',
  name: 'weather',
  description: 'The weather.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } } },
} as const;

describe('a call of the AI SDK', () => {
  it('has its options under the names of this library, and no others', async () => {
    const { signal } = new AbortController();
    const { options } = await ask({
      maxOutputTokens: 5,
      temperature: 0.5,
      topP: 0.9,
      topK: 10,
      seed: 3,
      stopSequences: ['END'],
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      abortSignal: signal,
      headers: { a: 'b' },
      providerOptions: { llamaNative: { minP: 0.1, enableThinking: false }, other: { x: 1 } },
    });
    expect(options).toEqual({
      maxTokens: 5,
      temperature: 0.5,
      topP: 0.9,
      topK: 10,
      seed: 3,
      stop: ['END'],
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      signal,
      minP: 0.1,
      enableThinking: false,
    });
    expect((await ask({ stopSequences: [] })).options).toEqual({});
  });

  it('may ask for effort in reasoning, or for none', async () => {
    expect((await ask({ reasoning: 'provider-default' })).options).toEqual({});
    expect((await ask({ reasoning: 'none' })).options).toEqual({ enableThinking: false });
    const { options } = await ask({
      reasoning: 'xhigh',
      providerOptions: { llamaNative: { variables: { a: 1 } } },
    });
    expect(options).toEqual({ enableThinking: true, variables: { reasoning_effort: 'high', a: 1 } });
  });

  it('cannot give an option twice, or of the wrong type', async () => {
    for (const llamaNative of [{ tools: {} }, { maxTokens: 1 }, { jsonSchema: {} }, { describeSchema: 1 }]) {
      await expect(ask({ providerOptions: { llamaNative } })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
  });

  it('has messages of all roles', async () => {
    const { messages, result } = await ask({
      prompt: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Read this.' },
            { type: 'file', mediaType: 'text/plain', data: { type: 'text', text: 'one' } },
            { type: 'file', mediaType: 'text/csv', data: { type: 'data', data: Buffer.from('a,é') } },
            { type: 'file', mediaType: 'text/csv', data: { type: 'data', data: btoa('a,b') } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'Hm.' },
            { type: 'text', text: 'I ' },
            { type: 'text', text: 'ask.' },
            { type: 'tool-call', toolCallId: '1', toolName: 'weather', input: { city: 'Rome' } },
            { type: 'tool-call', toolCallId: '2', toolName: 'weather', input: {} },
            { type: 'custom', kind: 'a.b' },
          ],
        },
        {
          role: 'tool',
          content: [
            {
              type: 'tool-result',
              toolCallId: '1',
              toolName: 'weather',
              output: { type: 'json', value: { sky: 1 } },
            },
            {
              type: 'tool-result',
              toolCallId: '2',
              toolName: 'weather',
              output: { type: 'execution-denied' },
            },
          ],
        },
      ],
    });
    expect(messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: ['Read this.', 'one', 'a,é', 'a,b'].map((text) => ({ type: 'text', text })) },
      {
        role: 'assistant',
        content: 'I ask.',
        reasoning: 'Hm.',
        toolCalls: [
          { id: '1', name: 'weather', arguments: { city: 'Rome' } },
          { id: '2', name: 'weather', arguments: {} },
        ],
      },
      { role: 'tool', content: '{"sky":1}', toolCallId: '1', name: 'weather' },
      { role: 'tool', content: 'The call was denied.', toolCallId: '2', name: 'weather' },
    ]);
    expect(result.warnings).toMatchObject([{ type: 'unsupported' }]);
  });

  it('with an image is refused', async () => {
    const image = { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AAAA' } } as const;
    await expect(ask({ prompt: [{ role: 'user', content: [image] }] })).rejects.toMatchObject({
      code: 'CONTENT_UNSUPPORTED',
    });
  });

  it('describes tools that nobody here executes', async () => {
    const { options, result } = await ask({
      tools: [weather, { type: 'provider', id: 'a.search', name: 'search', args: {} }],
      toolChoice: { type: 'tool', toolName: 'weather' },
    });
    expect(options).toEqual({
      tools: { weather: { description: 'The weather.', parameters: weather.inputSchema } },
      toolChoice: { name: 'weather' },
      maxSteps: 1,
    });
    expect(result.warnings).toEqual([{ type: 'unsupported', feature: 'provider-defined tool a.search' }]);
  });

  it('for JSON tells the model the schema, and holds the answer to it', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } } as const;
    const system = { role: 'system', content: 'Be brief.' } as const;
    const { options, messages } = await ask({
      prompt: [system, ...prompt],
      responseFormat: { type: 'json', schema, description: 'A letter.' },
    });
    expect(options).toEqual({ jsonSchema: schema });
    expect(messages[0]?.content).toMatch(/^Be brief\.\n\nA letter\.\nAnswer with JSON .*"a"/s);
    const silent = await ask({
      responseFormat: { type: 'json', schema },
      providerOptions: { llamaNative: { describeSchema: false } },
    });
    expect(silent.messages).toHaveLength(1);
    expect(silent.options).toEqual({ jsonSchema: schema });
    const free = await ask({ responseFormat: { type: 'json' } });
    expect(free.options).toEqual({ jsonSchema: { type: 'object' } });
  });

  it('for JSON and tools leaves the model free, and says so; with no tool to choose it does not', async () => {
    const both = { responseFormat: { type: 'json', schema: { type: 'object' } }, tools: [weather] } as const;
    const { options, result, messages } = await ask({ ...both, tools: [...both.tools] });
    expect(options.jsonSchema).toBeUndefined();
    expect(Object.keys(options.tools ?? {})).toEqual(['weather']);
    expect(messages[0]?.content).toContain('JSON schema');
    expect(result.warnings).toMatchObject([{ type: 'compatibility' }]);
    const none = await ask({ ...both, tools: [...both.tools], toolChoice: { type: 'none' } });
    expect(none.options).toEqual({ jsonSchema: { type: 'object' } });
    expect(none.result.warnings).toEqual([]);
  });
});

describe('a result for the AI SDK', () => {
  it('has reasoning, text and calls, and counts tokens', async () => {
    const { result } = await ask(
      {},
      {
        reasoning: 'Hm.',
        toolCalls: [
          { id: '1', name: 'a', arguments: { b: 1 } },
          { id: '2', name: 'a', arguments: 'not {json' },
        ],
        finishReason: 'tool-calls',
        stopString: 'END',
      },
    );
    expect(result.content).toEqual([
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'Yes.' },
      { type: 'tool-call', toolCallId: '1', toolName: 'a', input: '{"b":1}' },
      { type: 'tool-call', toolCallId: '2', toolName: 'a', input: 'not {json' },
    ]);
    expect(result.finishReason).toEqual({ unified: 'tool-calls', raw: 'tool-calls' });
    expect(result.usage).toMatchObject({
      inputTokens: { total: 10, noCache: 6, cacheRead: 4 },
      outputTokens: { total: 6, text: 4, reasoning: 2 },
    });
    expect(result.providerMetadata).toEqual({ llamaNative: { timings: { totalMs: 5 }, stopString: 'END' } });
  });

  it.each([
    ['stop', 'stop'],
    ['length', 'length'],
    ['cancelled', 'other'],
  ] as const)('that ended with %s is one that ended with %s', async (finishReason, unified) => {
    const { result } = await ask({}, { finishReason });
    expect(result.finishReason).toEqual({ unified, raw: finishReason });
  });
});

describe('the blocks of a stream', () => {
  const call = { type: 'tool-call', id: 'c', name: 'a' } as const;

  function blocksOf(parts: readonly ChatPart[]): string[] {
    const blocks = new PartBlocks();
    const made = [...parts.flatMap((part) => [...blocks.add(part)]), ...blocks.end()];
    return made.map((part) => {
      const { type, id, delta } = part as { type: string; id: string; delta?: string };
      return delta === undefined ? `${type} ${id}` : `${type} ${id} ${delta}`;
    });
  }

  it('begin and end in turn', () => {
    const parts: ChatPart[] = [
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'A' },
      { type: 'text', text: 'B' },
      { ...call, argumentsText: '{"a"', complete: false },
      { ...call, argumentsText: '{"a":1}', complete: true, arguments: { a: 1 } },
      { type: 'text', text: 'C' },
    ];
    expect(blocksOf(parts)).toEqual([
      ...['reasoning-start 0', 'reasoning-delta 0 Hm', 'reasoning-end 0'],
      ...['text-start 1', 'text-delta 1 A', 'text-delta 1 B', 'text-end 1'],
      ...['tool-input-start c', 'tool-input-delta c {"a"', 'tool-input-delta c :1}', 'tool-input-end c'],
      ...['text-start 2', 'text-delta 2 C', 'text-end 2'],
    ]);
  });

  it('end also where the answer is cut off', () => {
    expect(blocksOf([{ ...call, argumentsText: '{"a"', complete: false }])).toEqual([
      'tool-input-start c',
      'tool-input-delta c {"a"',
      'tool-input-end c',
    ]);
  });
});

describe('an embedding model of the AI SDK', () => {
  const model = {
    metadata: { name: 'Recorder', embeddingLength: 2 } as Model['metadata'],
    tokenize: (async () => [Int32Array.of(1), Int32Array.of(1, 2)]) as unknown as Model['tokenize'],
    embed: (async () => [Float32Array.of(1, 0), Float32Array.of(0, 1)]) as unknown as Model['embed'],
  };

  it('gives plain numbers, counts tokens, and warns of dimensions', async () => {
    const result = await embeddingModel(model, { modelId: 'mine' }).doEmbed({
      values: ['a', 'b'],
      dimensions: 1,
    });
    expect(result).toMatchObject({
      embeddings: [
        [1, 0],
        [0, 1],
      ],
      usage: { tokens: 3 },
      warnings: [{ type: 'unsupported', feature: 'dimensions' }],
    });
    expect(embeddingModel(model, { modelId: 'mine' }).modelId).toBe('mine');
  });

  it.each([{ pooling: 'none' }, { minP: 1 }])('refuses %o', async (llamaNative) => {
    const call = { values: ['a'], providerOptions: { llamaNative } };
    await expect(embeddingModel(model).doEmbed(call)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
