import { describe, expect, it } from 'vitest';
import { readConversation } from '../../../lib/server/anthropic/messages.js';
import { type MessagesBody, readMessagesCall } from '../../../lib/server/anthropic/request.js';
import { readThinking } from '../../../lib/server/anthropic/thinking.js';
import { readToolOptions } from '../../../lib/server/anthropic/tools.js';

const user = (content: unknown) => ({ role: 'user', content });
const assistant = (content: unknown) => ({ role: 'assistant', content });
const text = (value: unknown) => ({ type: 'text', text: value });
const use = (id: string, name = 'weather', input: unknown = {}) => ({ type: 'tool_use', id, name, input });
const result = (id: unknown, content?: unknown, more = {}) => ({
  type: 'tool_result',
  tool_use_id: id,
  ...(content !== undefined && { content }),
  ...more,
});

describe("a conversation of Anthropic's API", () => {
  it('is text, or blocks of text', () => {
    expect(
      readConversation('Be brief.', [user('Hi'), assistant([text('Hel'), text('lo')]), user([text('Bye')])]),
    ).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'Bye' },
    ]);
  });

  it('may have its system prompt in blocks, of which the accounting of Claude Code is left out', () => {
    const system = [text('x-anthropic-billing-header: cch=1f2e;'), text('You are'), text('helpful.')];
    expect(readConversation(system, [user('Hi')])[0]).toEqual({
      role: 'system',
      content: 'You are\nhelpful.',
    });
    expect(readConversation([], [user('Hi')])).toHaveLength(1);
    expect(readConversation(null, [user('Hi')])).toHaveLength(1);
  });

  it('may have instructions in the middle', () => {
    expect(readConversation(undefined, [user('Hi'), { role: 'system', content: 'Be brief.' }])).toEqual([
      { role: 'user', content: 'Hi' },
      { role: 'system', content: 'Be brief.' },
    ]);
  });

  it('has one turn where one side speaks several times', () => {
    const messages = [user('One'), user([text('two')]), assistant('Three '), assistant('four'), user('five')];
    expect(readConversation(undefined, messages).map(({ content }) => content)).toEqual([
      'One\ntwo',
      'Three four',
      'five',
    ]);
  });

  it('has calls and their results, with the names of the tools', () => {
    const messages = [
      user('Weather?'),
      assistant([
        { type: 'thinking', thinking: 'I must look.', signature: 'x' },
        { type: 'redacted_thinking', data: 'xx' },
        text('Let me see.'),
        use('a', 'weather', { city: 'Paris' }),
        use('b', 'clock'),
      ]),
      user([result('b', [text('12'), text('noon')]), result('a', 'cold', { is_error: true }), text('So?')]),
    ];
    expect(readConversation(undefined, messages)).toEqual([
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: 'Let me see.',
        reasoning: 'I must look.',
        toolCalls: [
          { id: 'a', name: 'weather', arguments: { city: 'Paris' } },
          { id: 'b', name: 'clock', arguments: {} },
        ],
      },
      { role: 'tool', content: '12\nnoon', toolCallId: 'b', name: 'clock' },
      { role: 'tool', content: 'Error: cold', toolCallId: 'a', name: 'weather' },
      { role: 'user', content: 'So?' },
    ]);
  });

  it('takes results that are empty, or in several messages, or behind a text', () => {
    const called = [user('Weather?'), assistant([use('a'), use('b')])];
    const split = readConversation(undefined, [...called, user([result('a')]), user([result('b', null)])]);
    expect(split.slice(2).map(({ role, content }) => [role, content])).toEqual([
      ['tool', ''],
      ['tool', ''],
    ]);
    const behind = [...called, user([text('Here:'), result('a', '1'), result('b', '2')])];
    expect(readConversation(undefined, behind).map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'tool',
      'tool',
      'user',
    ]);
  });

  it('takes documents of plain text and results of searches as text', () => {
    const document = {
      type: 'document',
      title: 'Notes',
      context: 'From May',
      source: { type: 'text', media_type: 'text/plain', data: 'It rained.' },
    };
    const parts = { type: 'document', source: { type: 'content', content: [text('a'), text('b')] } };
    const found = { type: 'search_result', title: 'Rain', source: 'weather.txt', content: [text('Wet.')] };
    expect(readConversation(undefined, [user([document, parts, found])])[0]?.content).toBe(
      'Notes\nFrom May\nIt rained.\na\nb\nRain\nweather.txt\nWet.',
    );
  });

  it('ends with the beginning of an answer, unless that is empty', () => {
    expect(readConversation(undefined, [user('Hi'), assistant('Hel')]).at(-1)?.role).toBe('assistant');
    expect(readConversation(undefined, [user('Hi'), assistant('')]).at(-1)?.role).toBe('user');
    expect(readConversation(undefined, [user('Hi'), assistant([])]).at(-1)?.role).toBe('user');
  });

  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } };
  const pdf = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'AAAA' } };
  const bad: [string, unknown, string, RegExp][] = [
    ['no array', 'Hi', 'messages', /an array/],
    ['no message', [], 'messages', /at least one/],
    ['a message that is none', [5], 'messages[0]', /an object with role and content/],
    ['null', [null], 'messages[0]', /an object/],
    ['an array in place of a message', [[]], 'messages[0]', /an object/],
    ['an unknown role', [{ role: 'tool', content: 'x' }], 'messages[0].role', /"tool"/],
    ['no role', [{ content: 'x' }], 'messages[0].role', /undefined/],
    ['no content', [{ role: 'user' }], 'messages[0].content', /a string or an array/],
    ['a number as content', [user(5)], 'messages[0].content', /received 5/],
    ['no block', [user([])], 'messages[0].content', /at least one block/],
    ['a text in place of a block', [user(['x'])], 'messages[0].content[0]', /a block such as/],
    ['a block without a type', [user([{ text: 'x' }])], 'messages[0].content[0].type', /without a type/],
    ['a text that is none', [user([text(5)])], 'messages[0].content[0].text', /a string/],
    ['an image', [user([text('x'), image])], 'messages[0].content[1].type', /"image"/],
    ['a PDF file', [user([pdf])], 'messages[0].content[0].source.type', /"base64"/],
    [
      'a document without a source',
      [user([{ type: 'document' }])],
      'messages[0].content[0].source',
      /an object/,
    ],
    ['a call of the user', [user([use('a')])], 'messages[0].content[0].type', /"tool_use"/],
    [
      'a call without input',
      [user('x'), assistant([use('a', 'w', 'text')])],
      'messages[1].content[0].input',
      /object/,
    ],
    [
      'a call without an id',
      [user('x'), assistant([{ ...use('a'), id: 5 }])],
      'messages[1].content[0].id',
      /string/,
    ],
    [
      'two calls of one id',
      [user('x'), assistant([use('a'), use('a')])],
      'messages[1].content[1].id',
      /another id/,
    ],
    ['an image of the assistant', [user('x'), assistant([image])], 'messages[1].content[0].type', /"image"/],
    [
      'thoughts that are none',
      [user('x'), assistant([{ type: 'thinking' }])],
      'messages[1].content[0].thinking',
      /string/,
    ],
    ['a call without a result', [user('x'), assistant([use('a')])], 'messages', /none for: a/],
    [
      'a call that is passed over',
      [user('x'), assistant([use('a'), use('b')]), user([result('a', '1')])],
      'messages[2]',
      /none for: b/,
    ],
    ['a result without a call', [user([result('a', '1')])], 'messages[0].content[0].tool_use_id', /"a"/],
    [
      'two results of a call',
      [user('x'), assistant([use('a')]), user([result('a'), result('a')])],
      'messages[2].content[1].tool_use_id',
      /once/,
    ],
    [
      'a result without an id',
      [user('x'), assistant([use('a')]), user([result(7)])],
      'messages[2].content[0].tool_use_id',
      /string/,
    ],
    [
      'an image as a result',
      [user('x'), assistant([use('a')]), user([result('a', [image])])],
      'messages[2].content[0].content[0].type',
      /"image"/,
    ],
    ['nothing but an empty beginning', [assistant('')], 'messages', /a message of the user/],
  ];
  it.each(bad)('is refused with its place: %s', (_name, messages, param, message) => {
    const failure = expect.objectContaining({ status: 400, param, message: expect.stringMatching(message) });
    expect(() => readConversation(undefined, messages)).toThrow(failure);
  });

  it('is refused for a system prompt with an image', () => {
    expect(() => readConversation([image], [user('Hi')])).toThrow(
      expect.objectContaining({ param: 'system[0].type', status: 400 }),
    );
  });
});

describe("tools of Anthropic's API", () => {
  const schema = { type: 'object', properties: { city: { type: 'string' } } };
  const tool = { name: 'weather', description: 'The weather.', input_schema: schema };

  it('are handed to the client, whose choice holds', () => {
    expect(readToolOptions([{ ...tool, type: 'custom', cache_control: {} }], null)).toEqual({
      tools: { weather: { description: 'The weather.', parameters: schema } },
      maxSteps: 1,
    });
    const choose = (choice: object) => readToolOptions([tool], choice as never);
    expect(choose({ type: 'auto' })).toMatchObject({ toolChoice: 'auto', parallelToolCalls: true });
    expect(choose({ type: 'any', disable_parallel_tool_use: true })).toMatchObject({
      toolChoice: 'required',
      parallelToolCalls: false,
    });
    expect(choose({ type: 'none' })).toMatchObject({ toolChoice: 'none' });
    expect(choose({ type: 'tool', name: 'weather' })).toMatchObject({ toolChoice: { name: 'weather' } });
  });

  it('may be none', () => {
    expect(readToolOptions(undefined, undefined)).toEqual({});
    expect(readToolOptions(null, { type: 'auto' })).toEqual({});
  });

  it('may say null for what their schema does not have', () => {
    const input = { type: 'object', properties: null, required: null };
    expect(readToolOptions([{ name: 'now', input_schema: input }], null).tools?.now?.parameters).toEqual({
      type: 'object',
    });
  });

  const bad: [string, unknown, unknown, string][] = [
    ['no array', 'weather', null, 'tools'],
    ['a text', ['weather'], null, 'tools[0]'],
    ['no name', [{ input_schema: schema }], null, 'tools[0].name'],
    ['no schema', [{ name: 'weather' }], null, 'tools[0].input_schema'],
    [
      'a schema that is no object',
      [{ name: 'w', input_schema: { type: 'string' } }],
      null,
      'tools[0].input_schema.type',
    ],
    ['a number as description', [{ ...tool, description: 5 }], null, 'tools[0].description'],
    [
      "a tool of Anthropic's servers",
      [{ type: 'web_search_20250305', name: 'web_search' }],
      null,
      'tools[0].type',
    ],
    ['two of one name', [tool, tool], null, 'tools'],
    ['an unknown choice', [tool], { type: 'maybe' }, 'tool_choice.type'],
    ['a choice without a name', [tool], { type: 'tool' }, 'tool_choice.name'],
    ['the choice of another tool', [tool], { type: 'tool', name: 'clock' }, 'tool_choice'],
    ['a forced choice without tools', [], { type: 'any' }, 'tool_choice'],
    [
      'a switch that is none',
      [tool],
      { type: 'any', disable_parallel_tool_use: 'yes' },
      'tool_choice.disable_parallel_tool_use',
    ],
  ];
  it.each(bad)('are refused with their place: %s', (_name, tools, choice, param) => {
    expect(() => readToolOptions(tools, choice as never)).toThrow(
      expect.objectContaining({ status: 400, param }),
    );
  });
});

describe("thinking in Anthropic's API", () => {
  it('is off unless it is asked for, and shown unless it is omitted', () => {
    expect(readThinking(undefined, null, 100)).toEqual({ options: { enableThinking: false }, isShown: true });
    expect(readThinking({ type: 'disabled' }, null, 100).options.enableThinking).toBe(false);
    expect(readThinking({ type: 'enabled', budget_tokens: 50 }, null, 100).options).toEqual({
      enableThinking: true,
      reasoningBudget: 50,
    });
    expect(readThinking({ type: 'adaptive', display: 'omitted' }, null, 100)).toEqual({
      options: { enableThinking: true },
      isShown: false,
    });
    expect(readThinking({ type: 'between_tools' }, null, 100).options).toEqual({ enableThinking: true });
  });

  it('has an effort, which templates are told', () => {
    expect(readThinking({ type: 'adaptive' }, 'max', 100).options.variables).toEqual({
      reasoning_effort: 'high',
    });
    expect(() => readThinking({ type: 'adaptive' }, 'much', 100)).toThrow(
      expect.objectContaining({ param: 'output_config.effort' }),
    );
  });

  it.each([
    [{ type: 'on' }, 'thinking.type'],
    [{}, 'thinking.type'],
    [{ type: 'enabled' }, 'thinking.budget_tokens'],
    [{ type: 'enabled', budget_tokens: 0 }, 'thinking.budget_tokens'],
    [{ type: 'enabled', budget_tokens: -5 }, 'thinking.budget_tokens'],
    [{ type: 'enabled', budget_tokens: 1.5 }, 'thinking.budget_tokens'],
    [{ type: 'enabled', budget_tokens: 1e12 }, 'thinking.budget_tokens'],
    [{ type: 'enabled', budget_tokens: '5' }, 'thinking.budget_tokens'],
    [{ type: 'enabled', budget_tokens: 100 }, 'thinking.budget_tokens'],
    [{ type: 'adaptive', display: 'loud' }, 'thinking.display'],
  ])('is refused with its place: %j', (thinking, param) => {
    expect(() => readThinking(thinking, null, 100)).toThrow(expect.objectContaining({ status: 400, param }));
  });
});

describe("a request of Anthropic's API", () => {
  const body: MessagesBody = { model: 'smol', max_tokens: 5, messages: [user('Hi')] };

  it('becomes options of a chat', () => {
    const call = readMessagesCall({
      ...body,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      stop_sequences: ['END'],
    });
    expect(call.options).toEqual({
      maxTokens: 5,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      stop: ['END'],
      enableThinking: false,
    });
    expect(call.stopSequences).toEqual(['END']);
  });

  it('takes null for what is left out', () => {
    const call = readMessagesCall({
      ...body,
      temperature: null,
      top_p: null,
      top_k: null,
      stop_sequences: null,
      system: null,
      tools: null,
      tool_choice: null,
      thinking: null,
      output_config: null,
    });
    expect(call.options).toEqual({ maxTokens: 5, enableThinking: false });
  });

  it('may ask for JSON', () => {
    const schema = { type: 'object' };
    const format = { type: 'json_schema', schema };
    expect(readMessagesCall({ ...body, output_config: { format } }).format?.schema).toEqual(schema);
    expect(readMessagesCall({ ...body, output_config: { format: null } }).format).toBeUndefined();
  });

  it.each([
    [{ stop_sequences: [''] }, 'stop_sequences[0]'],
    [{ stop_sequences: [5] }, 'stop_sequences[0]'],
    [{ stop_sequences: Array.from({ length: 65 }, () => 'x') }, 'stop_sequences'],
    [{ output_config: { format: { type: 'xml' } } }, 'output_config.format.type'],
    [{ output_config: { format: { type: 'json_schema' } } }, 'output_config.format.schema'],
    [{ output_config: { effort: 5 } }, 'output_config.effort'],
  ])('is refused with the field that is wrong: %j', (fields, param) => {
    expect(() => readMessagesCall({ ...body, ...(fields as object) })).toThrow(
      expect.objectContaining({ status: 400, param }),
    );
  });
});
