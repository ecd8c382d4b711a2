import { describe, expect, it } from 'vitest';
import { createError } from '../../../lib/errors.js';
import { RequestError } from '../../../lib/server/failures.js';
import { type ChatBody, planChat } from '../../../lib/server/openai/chat-request.js';
import { type CompletionBody, planCompletion } from '../../../lib/server/openai/completion-request.js';
import { nameCause, toOpenaiError } from '../../../lib/server/openai/errors.js';
import { readMessages } from '../../../lib/server/openai/messages.js';
import { toReasoningOptions } from '../../../lib/server/openai/reasoning.js';
import { readResponseFormat } from '../../../lib/server/openai/response-format.js';
import { toSamplingOptions, toStop } from '../../../lib/server/openai/sampling.js';
import { seedsFor } from '../../../lib/server/openai/start-chat.js';
import { readChatTools, readToolChoice, toToolOptions } from '../../../lib/server/openai/tools.js';

const user = { role: 'user', content: 'Hello' };
const weather = {
  type: 'function',
  function: { name: 'weather', description: 'The weather', parameters: { properties: { city: {} } } },
};

function failureOf(act: () => unknown): RequestError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError);
    return error as RequestError;
  }
  throw new Error('nothing was thrown');
}

function chat(body: object): ReturnType<typeof planChat> {
  return planChat({ messages: [user], ...body } as ChatBody);
}

function complete(body: object): ReturnType<typeof planCompletion> {
  return planCompletion({ prompt: 'Once', ...body } as CompletionBody);
}

describe('the messages of a chat', () => {
  it('become those of the library', () => {
    const messages = readMessages([
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'One' }], name: 'Ann' },
      {
        role: 'assistant',
        content: null,
        reasoning_content: 'Hm.',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'Sunny' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'One' },
          { type: 'text', text: 'Two' },
        ],
      },
    ]);
    expect(messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'One', name: 'Ann' },
      {
        role: 'assistant',
        content: '',
        reasoning: 'Hm.',
        toolCalls: [{ id: 'a', name: 'weather', arguments: { city: 'Rome' } }],
      },
      { role: 'tool', toolCallId: 'a', content: 'Sunny', name: 'weather' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'One' },
          { type: 'text', text: 'Two' },
        ],
      },
    ]);
  });

  it('keep arguments that are no JSON, and take none for an empty object', () => {
    const [message] = readMessages([
      {
        role: 'assistant',
        tool_calls: [
          { id: 'a', function: { name: 'f', arguments: '' } },
          { id: 'b', function: { name: 'f', arguments: '{"x":' } },
        ],
      },
    ]);
    expect(message?.toolCalls?.map((call) => call.arguments)).toEqual([{}, '{"x":']);
  });

  it('show a refusal as what was said', () => {
    expect(readMessages([{ role: 'assistant', content: null, refusal: 'No.' }])).toEqual([
      { role: 'assistant', content: 'No.' },
    ]);
  });

  const call = (over: object) => ({
    role: 'assistant',
    tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' }, ...over }],
  });
  it.each([
    ['messages', 'Hello'],
    ['messages', []],
    ['messages', null],
    ['messages[0]', ['Hello']],
    ['messages[0]', [null]],
    ['messages[0].role', [{ content: 'x' }]],
    ['messages[0].role', [{ role: 'function', name: 'f', content: 'x' }]],
    ['messages[0].role', [{ role: 5, content: 'x' }]],
    ['messages[0].content', [{ role: 'user' }]],
    ['messages[0].content', [{ role: 'user', content: null }]],
    ['messages[0].content', [{ role: 'user', content: 5 }]],
    ['messages[0].content', [{ role: 'user', content: { type: 'text', text: 'x' } }]],
    ['messages[1].content[0]', [user, { role: 'user', content: ['x'] }]],
    ['messages[0].content[0].text', [{ role: 'user', content: [{ type: 'text' }] }]],
    ['messages[0].content[0]', [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }]],
    ['messages[0].content[0]', [{ role: 'user', content: [{ type: 'input_audio' }] }]],
    ['messages[0].content[0]', [{ role: 'user', content: [{}] }]],
    ['messages[0].name', [{ ...user, name: 7 }]],
    ['messages[0].content', [{ role: 'assistant', content: null }]],
    ['messages[0].reasoning_content', [{ role: 'assistant', content: '', reasoning_content: 1 }]],
    ['messages[0].tool_calls', [{ role: 'assistant', tool_calls: {} }]],
    ['messages[0].tool_calls[0]', [{ role: 'assistant', tool_calls: ['x'] }]],
    ['messages[0].tool_calls[0].type', [call({ type: 'custom' })]],
    ['messages[0].tool_calls[0].id', [call({ id: undefined })]],
    ['messages[0].tool_calls[0].function', [call({ function: null })]],
    ['messages[0].tool_calls[0].function.name', [call({ function: { arguments: '' } })]],
    ['messages[0].tool_calls[0].function.arguments', [call({ function: { name: 'f', arguments: {} } })]],
    ['messages[0].function_call', [{ role: 'assistant', content: '', function_call: {} }]],
    ['messages[0].audio', [{ role: 'assistant', content: '', audio: { id: 'x' } }]],
    ['messages[0].tool_call_id', [{ role: 'tool', content: 'x' }]],
    ['messages[0].content', [{ role: 'tool', tool_call_id: 'a' }]],
  ])('name %s where it is wrong', (param, messages) => {
    expect(failureOf(() => readMessages(messages))).toMatchObject({ status: 400, param });
  });

  it('say of an image that it is not supported', () => {
    const failure = failureOf(() => readMessages([{ role: 'user', content: [{ type: 'image_url' }] }]));
    expect(failure.code).toBe('unsupported_content');
    expect(failure.message).toContain('image_url');
  });
});

describe('tools', () => {
  it('become tools without anything to execute', () => {
    const options = toToolOptions(readChatTools([weather]), readToolChoice('required'), false);
    expect(options.tools).toEqual({
      weather: { description: 'The weather', parameters: { type: 'object', properties: { city: {} } } },
    });
    expect(options).toMatchObject({ toolChoice: 'required', parallelToolCalls: false, maxSteps: 1 });
  });

  it('may be none, and a function may be chosen in the form of either API', () => {
    expect(toToolOptions([], 'auto', true)).toEqual({});
    expect(readToolChoice(null)).toBeUndefined();
    expect(readToolChoice({ type: 'function', function: { name: 'f' } })).toEqual({ name: 'f' });
    expect(readToolChoice({ type: 'function', name: 'f' })).toEqual({ name: 'f' });
  });

  it.each([
    ['tools', { tools: {} }],
    ['tools[0]', { tools: ['weather'] }],
    ['tools[0].type', { tools: [{ type: 'web_search' }] }],
    ['tools[0].type', { tools: [{ function: { name: 'f' } }] }],
    ['tools[0].function', { tools: [{ type: 'function' }] }],
    ['tools[0].function.name', { tools: [{ type: 'function', function: {} }] }],
    ['tools[1].function.name', { tools: [weather, { type: 'function', function: { name: 1 } }] }],
    [
      'tools[0].function.description',
      { tools: [{ type: 'function', function: { name: 'f', description: 1 } }] },
    ],
    [
      'tools[0].function.parameters',
      { tools: [{ type: 'function', function: { name: 'f', parameters: [] } }] },
    ],
    ['tools', { tools: [weather, weather] }],
    ['tool_choice', { tools: [weather], tool_choice: 'always' }],
    ['tool_choice.type', { tools: [weather], tool_choice: { type: 'allowed_tools' } }],
    ['tool_choice.function', { tools: [weather], tool_choice: { type: 'function', function: 'x' } }],
    ['tool_choice.function.name', { tools: [weather], tool_choice: { type: 'function', function: {} } }],
    ['tool_choice.name', { tools: [weather], tool_choice: { type: 'function' } }],
    ['tool_choice', { tools: [weather], tool_choice: { type: 'function', function: { name: 'other' } } }],
    ['tool_choice', { tool_choice: 'required' }],
    ['functions', { functions: [] }],
    ['function_call', { function_call: 'auto' }],
  ])('name %s where it is wrong', (param, body) => {
    expect(failureOf(() => chat(body))).toMatchObject({ status: 400, param });
  });
});

describe('response_format', () => {
  it('is a schema, any object, or nothing', () => {
    const schema = { type: 'object', properties: {} };
    expect(readResponseFormat({ type: 'text' })).toBeUndefined();
    expect(readResponseFormat({ type: 'json_object' })).toMatchObject({
      schema: { type: 'object' },
      isDescribed: false,
    });
    expect(
      readResponseFormat({ type: 'json_schema', json_schema: { name: 'x', strict: true, schema } }),
    ).toEqual({ schema, isStrict: true, isDescribed: true });
    expect(readResponseFormat({ type: 'json_object', schema })?.schema).toEqual(schema);
  });

  it('is not described to the model where the client does not want that', () => {
    const response_format = { type: 'json_schema', json_schema: { name: 'x', schema: {} } };
    expect(chat({ response_format, describe_schema: false }).call.format?.isDescribed).toBe(false);
  });

  it.each([
    ['response_format', { response_format: 'json' }],
    ['response_format.type', { response_format: {} }],
    ['response_format.type', { response_format: { type: 'xml' } }],
    ['response_format.json_schema', { response_format: { type: 'json_schema' } }],
    ['response_format.json_schema.schema', { response_format: { type: 'json_schema', json_schema: {} } }],
    [
      'response_format.json_schema.name',
      { response_format: { type: 'json_schema', json_schema: { name: 1, schema: {} } } },
    ],
    [
      'response_format.json_schema.strict',
      { response_format: { type: 'json_schema', json_schema: { strict: 'yes', schema: {} } } },
    ],
    ['json_schema', { json_schema: {}, response_format: { type: 'json_object' } }],
    ['grammar', { grammar: 'root ::= "x"', response_format: { type: 'json_object' } }],
  ])('names %s where it is wrong', (param, body) => {
    expect(failureOf(() => chat(body))).toMatchObject({ status: 400, param });
  });
});

describe('sampling', () => {
  it('has the names of the library, without what is null', () => {
    expect(
      toSamplingOptions({
        temperature: 0.5,
        top_p: null,
        top_k: -1,
        repeat_penalty: 1.1,
        seed: 7,
        stop: 'END',
        logit_bias: { 5: -100 },
      }),
    ).toEqual({
      temperature: 0.5,
      topK: 0,
      repeatPenalty: 1.1,
      seed: 7,
      stop: ['END'],
      logitBias: { 5: -100 },
    });
  });

  it('folds large and negative seeds into 32 bits, and draws one for -1', () => {
    expect(toSamplingOptions({ seed: 2 ** 32 + 5 }).seed).toBe(5);
    expect(toSamplingOptions({ seed: -2 }).seed).toBe(2 ** 32 - 2);
    expect(toSamplingOptions({ seed: -1 })).toEqual({});
  });

  it('takes a stop string, several or none', () => {
    expect(toStop(null)).toBeUndefined();
    expect(toStop([])).toBeUndefined();
    expect(toStop(['a', 'b'])).toEqual(['a', 'b']);
  });

  it.each([
    ['stop', { stop: '' }],
    ['stop[1]', { stop: ['a', ''] }],
    ['stop[0]', { stop: [5] }],
    ['stop', { stop: Array.from({ length: 65 }, () => 'x') }],
    ['seed', { seed: 2 ** 60 }],
    ['logit_bias', { logit_bias: { hello: 1 } }],
    ['logit_bias.5', { logit_bias: { 5: 101 } }],
    ['logit_bias.5', { logit_bias: { 5: 'never' } }],
    ['top_logprobs', { top_logprobs: 2 }],
    ['stream_options', { stream_options: { include_usage: true } }],
    ['stream_options.include_usage', { stream: true, stream_options: { include_usage: 1 } }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['audio', { audio: { voice: 'x' } }],
    ['reasoning_effort', { reasoning_effort: 'utmost' }],
    ['chat_template_kwargs.enable_thinking', { chat_template_kwargs: { enable_thinking: 'no' } }],
  ])('names %s where it is wrong', (param, body) => {
    expect(failureOf(() => chat(body))).toMatchObject({ status: 400, param });
  });

  it('ignores fields that it does not know', () => {
    const plan = chat({ user: 'me', metadata: {}, store: true, nonsense: { deep: [1] } });
    expect(plan.call.options).toEqual({});
  });

  it('gives several answers different seeds, the same ones for the same first', () => {
    const seeds = seedsFor(7, 128);
    expect(seeds[0]).toBe(7);
    expect(new Set(seeds).size).toBe(128);
    expect(seedsFor(7, 128)).toEqual(seeds);
    expect(seedsFor(undefined, 2)).toEqual([undefined, undefined]);
  });
});

describe('reasoning', () => {
  it('follows the switch before the level', () => {
    expect(toReasoningOptions({ effort: 'none' })).toEqual({ enableThinking: false });
    expect(toReasoningOptions({ effort: 'xhigh' })).toEqual({ variables: { reasoning_effort: 'high' } });
    expect(toReasoningOptions({ templateVariables: { enable_thinking: false, style: 1 } })).toEqual({
      enableThinking: false,
      variables: { style: 1 },
    });
    expect(toReasoningOptions({ effort: 'none', enableThinking: true, budget: 5 })).toEqual({
      enableThinking: true,
      reasoningBudget: 5,
    });
    expect(toReasoningOptions({ effort: null, budget: -1 })).toEqual({});
  });
});

describe('completions', () => {
  it('take text, tokens, and arrays of both', () => {
    expect(complete({ prompt: 'a' }).prompts).toEqual(['a']);
    expect(complete({ prompt: [1, 2] }).prompts).toEqual([[1, 2]]);
    expect(complete({ prompt: ['a', 'b'] }).prompts).toEqual(['a', 'b']);
    expect(complete({ prompt: [[1], [2, 3]] }).prompts).toEqual([[1], [2, 3]]);
  });

  it('make best_of answers and need their probabilities for that', () => {
    expect(complete({ best_of: 3 }).options).toMatchObject({ n: 3, logprobs: true, maxTokens: 16 });
    expect(complete({ logprobs: 0 }).options).toMatchObject({ n: 1, logprobs: 0 });
    expect(complete({}).options).not.toHaveProperty('logprobs');
  });

  it.each([
    ['prompt', { prompt: [] }],
    ['prompt[0]', { prompt: [{}] }],
    ['prompt[1]', { prompt: ['a', 5] }],
    ['prompt[1]', { prompt: [1, -1] }],
    ['prompt[1]', { prompt: [1, 'a'] }],
    ['prompt[0][1]', { prompt: [[1, 1.5]] }],
    ['prompt', { prompt: Array.from({ length: 257 }, () => 'x') }],
    ['suffix', { suffix: 'end' }],
    ['logprobs', { echo: true, logprobs: 1 }],
    ['best_of', { n: 3, best_of: 2 }],
    ['best_of', { best_of: 2, stream: true }],
    ['grammar', { grammar: 'root ::= "x"', json_schema: {} }],
  ])('name %s where it is wrong', (param, body) => {
    expect(failureOf(() => complete(body))).toMatchObject({ status: 400, param });
  });
});

describe('failures', () => {
  it('have the shape of OpenAI', () => {
    expect(
      toOpenaiError(new RequestError('not-found', 'model_not_found', 'No.', { param: 'model' })),
    ).toEqual({
      error: { message: 'No.', type: 'invalid_request_error', param: 'model', code: 'model_not_found' },
    });
    expect(toOpenaiError(new RequestError('rate-limited', 'queue_full', 'Wait.'))).toEqual({
      error: { message: 'Wait.', type: 'rate_limit_error', param: null, code: 'queue_full' },
    });
  });

  const names = {
    input: 'messages',
    format: 'response_format',
    maxTokens: 'max_tokens',
    tokens: 'logit_bias',
  };
  it.each([
    ['INVALID_MESSAGES', { index: 2 }, 'messages[2]'],
    ['INVALID_MESSAGES', { index: -1 }, 'messages'],
    ['PROMPT_TOO_LONG', {}, 'messages'],
    ['INVALID_TOOL', { name: 'weather' }, 'tools'],
    ['INVALID_SCHEMA', { path: '#', keyword: 'not' }, 'response_format'],
    ['INVALID_GRAMMAR', {}, 'grammar'],
    ['INVALID_TOKEN', {}, 'logit_bias'],
    ['INVALID_ARGUMENT', {}, 'messages'],
    ['INVALID_ARGUMENT', { index: 1 }, 'messages[1]'],
    ['INVALID_ARGUMENT', { name: 'topP' }, 'top_p'],
    ['INVALID_ARGUMENT', { name: 'maxTokens' }, 'max_tokens'],
  ] as const)('of the library (%s %j) name the field %s', (code, details, param) => {
    const failure = nameCause(createError(code, 'Wrong.', { details }), names);
    expect(failure).toMatchObject({ status: 400, param, message: 'Wrong.' });
  });

  it("that are the server's own trouble stay as they are", () => {
    const error = createError('DECODE_FAILED', 'Broken.');
    expect(nameCause(error, names)).toBe(error);
  });
});
