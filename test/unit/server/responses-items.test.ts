import { describe, expect, it } from 'vitest';
import { readInput, toMessages } from '../../../lib/server/openai/responses/items.js';

const nothing = () => undefined;
const user = (content: unknown) => ({ role: 'user', content });
const said = (content: unknown) => ({ type: 'message', role: 'assistant', content });
const call = (id: unknown, more = {}) => ({
  type: 'function_call',
  call_id: id,
  name: 'weather',
  arguments: '{"city":"Paris"}',
  ...more,
});
const output = (id: unknown, value: unknown = 'sunny') => ({
  type: 'function_call_output',
  call_id: id,
  output: value,
});
const read = (input: unknown, instructions?: string) => toMessages(readInput(input, nothing), instructions);

describe('the input of a response', () => {
  it('is a text, or messages', () => {
    expect(read('Hi', 'Be brief.')).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ]);
    expect(
      read([
        { role: 'developer', content: 'Be brief.' },
        user([{ type: 'input_text', text: 'Hi' }]),
        said([{ type: 'output_text', text: 'Hello', annotations: [] }]),
        user('Bye'),
      ]),
    ).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'Bye' },
    ]);
  });

  it('gives each item an id, and leaves those that there are', () => {
    const items = readInput([user('Hi'), { ...said('x'), id: 'msg_1' }, call('a'), output('a')], nothing);
    expect(items.map(({ item }) => item.id)).toEqual([
      expect.stringMatching(/^msg_/),
      'msg_1',
      expect.stringMatching(/^fc_/),
      expect.stringMatching(/^fco_/),
    ]);
    expect(items.every(({ item }) => typeof item.type === 'string')).toBe(true);
  });

  it('makes one message of what the assistant does in a row, with the outputs of its calls behind', () => {
    expect(
      read([
        user('Weather?'),
        { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'I must look.' }] },
        said('Let me see.'),
        call('a'),
        call('b', { name: 'clock', arguments: '' }),
        output('b', [{ type: 'input_text', text: 'noon' }]),
        output('a'),
        user('So?'),
      ]),
    ).toEqual([
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
      { role: 'tool', content: 'sunny', toolCallId: 'a', name: 'weather' },
      { role: 'tool', content: 'noon', toolCallId: 'b', name: 'clock' },
      { role: 'user', content: 'So?' },
    ]);
  });

  it('finds an output wherever it is', () => {
    const roles = read([user('x'), call('a'), user('wait'), output('a')]).map(({ role }) => role);
    expect(roles).toEqual(['user', 'assistant', 'tool', 'user']);
  });

  it('takes the summary of thoughts where there is nothing else, and drops thoughts that nothing follows', () => {
    const thought = { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }] };
    expect(read([user('x'), thought, said('y')])[1]).toMatchObject({ reasoning: 'Hm.' });
    expect(read([user('x'), thought])).toHaveLength(1);
    expect(
      read([user('x'), { type: 'reasoning', summary: [], encrypted_content: 'xx' }, said('y')])[1],
    ).toEqual({
      role: 'assistant',
      content: 'y',
    });
  });

  it('passes over a call that was cut off', () => {
    expect(read([user('x'), call('a', { status: 'incomplete', arguments: '{"ci' })])).toHaveLength(1);
  });

  it('may refer to items that are kept', () => {
    const kept = { id: 'msg_1', ...said('Hello') };
    const items = readInput([user('Hi'), { type: 'item_reference', id: 'msg_1' }, user('Bye')], (id) =>
      id === 'msg_1' ? kept : undefined,
    );
    expect(toMessages(items, null).map(({ content }) => content)).toEqual(['Hi', 'Hello', 'Bye']);
  });

  const bad: [string, unknown, string, RegExp][] = [
    ['a number', 5, 'input', /a string or an array/],
    ['nothing', [], 'input', /at least one/],
    ['null', [null], 'input[0]', /an item/],
    ['a text in place of an item', ['Hi'], 'input[0]', /an item/],
    ['an item without type and role', [{ content: 'x' }], 'input[0].type', /received none/],
    ['an item of an unknown type', [{ type: 'web_search_call' }], 'input[0].type', /web_search_call/],
    ['an item whose type is inherited', [{ type: 'toString' }], 'input[0].type', /toString/],
    ['an unknown role', [{ role: 'tool', content: 'x' }], 'input[0].role', /"tool"/],
    ['no content', [{ role: 'user' }], 'input[0].content', /a string or an array/],
    ['an image', [user([{ type: 'input_image', image_url: 'x' }])], 'input[0].content[0]', /input_image/],
    ['a file', [user([{ type: 'input_file', file_data: 'x' }])], 'input[0].content[0]', /input_file/],
    [
      'a text that is none',
      [user([{ type: 'input_text', text: 5 }])],
      'input[0].content[0].text',
      /a string/,
    ],
    ['a call without an id', [user('x'), call(5), output('a')], 'input[1].call_id', /a string/],
    ['a call without a name', [user('x'), call('a', { name: 5 }), output('a')], 'input[1].name', /a string/],
    [
      'arguments that are an object',
      [user('x'), call('a', { arguments: {} }), output('a')],
      'input[1].arguments',
      /JSON as a string/,
    ],
    ['two calls of one id', [user('x'), call('a'), call('a'), output('a')], 'input[2].call_id', /another id/],
    [
      'two outputs of a call',
      [user('x'), call('a'), output('a'), output('a')],
      'input[3].call_id',
      /one output/,
    ],
    [
      'a call without an output',
      [user('x'), call('a')],
      'input',
      /no function_call_output for the function_call "a"/,
    ],
    ['an output without a call', [user('x'), output('b')], 'input[1].call_id', /"b"/],
    [
      'an output that is a number',
      [user('x'), call('a'), output('a', 5)],
      'input[2].output',
      /a string or an array/,
    ],
    ['thoughts that are none', [{ type: 'reasoning', content: 'x' }], 'input[0].content', /an array/],
    [
      'a thought without a text',
      [{ type: 'reasoning', content: [{}] }],
      'input[0].content[0].text',
      /a string/,
    ],
    ['a reference to nothing', [{ type: 'item_reference', id: 'msg_9' }], 'input[0].id', /msg_9/],
    ['a reference without an id', [{ type: 'item_reference' }], 'input[0].id', /a string/],
  ];
  it.each(bad)('is refused with its place: %s', (_name, input, param, message) => {
    const failure = expect.objectContaining({ param, message: expect.stringMatching(message) });
    expect(() => read(input)).toThrow(failure);
  });
});
