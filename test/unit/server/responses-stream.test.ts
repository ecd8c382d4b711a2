import { describe, expect, it } from 'vitest';
import type { ChatPart, ChatResult } from '../../../lib/index.js';
import { toHead, toOutput } from '../../../lib/server/openai/responses/response.js';
import { ResponseStream } from '../../../lib/server/openai/responses/response-stream.js';

const ended = {
  text: 'Hello',
  reasoning: '',
  toolCalls: [],
  finishReason: 'stop',
  usage: { promptTokens: 10, cachedTokens: 4, completionTokens: 7, contextShifts: 0 },
} as unknown as ChatResult;

interface SentEvent {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** The events that a stream sends; each has to be named as its type, and numbered. */
function eventsOf(parts: readonly ChatPart[], end: (stream: ResponseStream) => void): SentEvent[] {
  let sent = '';
  const write = (text: string) => {
    sent += text;
    return undefined;
  };
  const stream = new ResponseStream({ write }, toHead({ input: 'Hi' }, 'smol'));
  stream.begin();
  for (const part of parts) stream.add(part);
  end(stream);
  expect(sent.endsWith('\n\n')).toBe(true);
  return sent
    .slice(0, -2)
    .split('\n\n')
    .map((event, number) => {
      const [, type = '', json = ''] = /^event: ([\w.]+)\ndata: ([^\n]+)$/.exec(event) ?? [];
      const data = JSON.parse(json) as Record<string, unknown>;
      expect(data).toMatchObject({ type, sequence_number: number });
      return { type: type.replace('response.', ''), data };
    });
}

const finish =
  (result: ChatResult = ended) =>
  (stream: ResponseStream) => {
    stream.finish(result, 3);
  };
const text = (value: string): ChatPart => ({ type: 'text', text: value });
const thought = (value: string): ChatPart => ({ type: 'reasoning', text: value });
const call = (id: string, argumentsText: string, complete = false): ChatPart =>
  ({ type: 'tool-call', id, name: 'weather', argumentsText, complete, arguments: {} }) as ChatPart;
const types = (events: readonly SentEvent[]) => events.map(({ type }) => type);
const last = (events: readonly SentEvent[]) => events.at(-1)?.data.response as Record<string, unknown>;

describe("a stream of OpenAI's responses", () => {
  it('has an item with a part of text', () => {
    const events = eventsOf([text('Hel'), text('lo "\n\u2028')], finish());
    expect(types(events)).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ]);
    const data = (index: number) => events[index]?.data ?? {};
    expect(data(0).response).toMatchObject({ status: 'in_progress', output: [], usage: null });
    expect(data(2)).toMatchObject({ output_index: 0, item: { status: 'in_progress', content: [] } });
    const { id } = data(2).item as { id: string };
    expect(data(4)).toMatchObject({ item_id: id, content_index: 0, delta: 'Hel', logprobs: [] });
    expect(data(6)).toMatchObject({ item_id: id, text: 'Hello "\n\u2028' });
    expect(last(events)).toMatchObject({
      status: 'completed',
      output: [{ id, status: 'completed', content: [{ type: 'output_text', text: 'Hello "\n\u2028' }] }],
      usage: {
        input_tokens: 10,
        input_tokens_details: { cached_tokens: 4 },
        output_tokens: 7,
        output_tokens_details: { reasoning_tokens: 3 },
        total_tokens: 17,
      },
    });
  });

  it('has an item of thoughts before that of the text', () => {
    const events = eventsOf([thought('Hm.'), text('Yes.')], finish());
    expect(types(events)).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'reasoning_text.delta',
      'reasoning_text.done',
      'content_part.done',
      'output_item.done',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ]);
    expect(last(events).output).toMatchObject([
      { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'Hm.' }] },
      { type: 'message' },
    ]);
  });

  it('has an item for each call, with its arguments as they are written', () => {
    const parts = [call('a', '{"city":'), call('a', '{"city":"Paris"}'), call('a', '{"city":"Paris"}', true)];
    const events = eventsOf(
      [...parts, call('b', '{}', true)],
      finish({ ...ended, finishReason: 'tool-calls' }),
    );
    expect(types(events)).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
      'completed',
    ]);
    expect(events[3]?.data).toMatchObject({ output_index: 0, delta: '{"city":' });
    expect(events[3]?.data).not.toHaveProperty('content_index');
    expect(last(events).output).toMatchObject([
      {
        type: 'function_call',
        call_id: 'a',
        name: 'weather',
        arguments: '{"city":"Paris"}',
        status: 'completed',
      },
      { type: 'function_call', call_id: 'b', arguments: '{}', status: 'completed' },
    ]);
  });

  it('says of the last item alone that it was cut off', () => {
    const cut = { ...ended, finishReason: 'length' as const };
    const events = eventsOf([call('a', '{}', true), call('b', '{"ci', true)], finish(cut));
    expect(types(events).at(-1)).toBe('incomplete');
    expect(last(events)).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'completed' }, { status: 'incomplete', arguments: '{"ci' }],
    });
  });

  it('ends with what went wrong', () => {
    const events = eventsOf([text('Hel')], (stream) =>
      stream.fail({ code: 'server_error', message: 'Why.' }),
    );
    expect(types(events).at(-1)).toBe('failed');
    expect(last(events)).toMatchObject({
      status: 'failed',
      error: { code: 'server_error', message: 'Why.' },
      output: [{ status: 'incomplete', content: [{ text: 'Hel' }] }],
    });
  });

  it('has no item where nothing was said', () => {
    expect(types(eventsOf([], finish()))).toEqual(['created', 'in_progress', 'completed']);
  });
});

describe('the output of a response', () => {
  it('holds thoughts, text and calls in this order', () => {
    const toolCalls = [
      { id: 'a', name: 'weather', arguments: { city: 'Paris' } },
      { id: 'b', name: 'clock', arguments: 'no JSON' },
    ];
    expect(toOutput({ ...ended, reasoning: 'Hm.', toolCalls })).toMatchObject([
      { type: 'reasoning', status: 'completed' },
      { type: 'message', status: 'completed' },
      { type: 'function_call', call_id: 'a', arguments: '{"city":"Paris"}' },
      { type: 'function_call', call_id: 'b', arguments: 'no JSON' },
    ]);
  });

  it('says what was cut off', () => {
    const cut = { ...ended, reasoning: 'Hm.', finishReason: 'length' as const };
    expect(toOutput(cut)).toMatchObject([{ status: 'completed' }, { status: 'incomplete' }]);
    expect(toOutput({ ...cut, text: '' })).toMatchObject([{ type: 'reasoning', status: 'incomplete' }]);
  });
});
