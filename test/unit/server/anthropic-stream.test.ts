import { describe, expect, it } from 'vitest';
import type { ChatPart, ChatResult } from '../../../lib/index.js';
import { type AnswerHead, toContent, toEnding } from '../../../lib/server/anthropic/answer.js';
import { toAnthropicError } from '../../../lib/server/anthropic/errors.js';
import { MessageStream } from '../../../lib/server/anthropic/message-stream.js';
import { RequestError } from '../../../lib/server/failures.js';
import type { EventStream } from '../../../lib/server/http/event-stream.js';

const head: AnswerHead = {
  id: 'msg_1',
  model: 'smol',
  stopSequences: ['END'],
  showsThinking: true,
  maxTokens: 50,
};

const ended = {
  text: 'Hello',
  reasoning: '',
  toolCalls: [],
  finishReason: 'stop',
  usage: { promptTokens: 10, cachedTokens: 4, completionTokens: 7, contextShifts: 0 },
} as unknown as ChatResult;

interface SentEvent {
  readonly name: string;
  readonly data: Record<string, unknown>;
}

/** The events that a stream sends for these parts; each has to be a name and a line of JSON of that type. */
function eventsOf(parts: readonly ChatPart[], result = ended, of: AnswerHead = head): SentEvent[] {
  let sent = '';
  const events = {
    write(text: string) {
      sent += text;
      return undefined;
    },
  } as EventStream;
  const stream = new MessageStream(events, of);
  stream.begin({ promptTokens: 10, cachedTokens: 4 });
  for (const part of parts) stream.add(part);
  stream.finish(result, 3);
  expect(sent.endsWith('\n\n')).toBe(true);
  return sent
    .slice(0, -2)
    .split('\n\n')
    .map((event) => {
      const [, name = '', json = ''] = /^event: (\w+)\ndata: ([^\n]+)$/.exec(event) ?? [];
      const data = JSON.parse(json) as Record<string, unknown>;
      expect(data.type).toBe(name);
      return { name, data };
    });
}

const text = (value: string): ChatPart => ({ type: 'text', text: value });
const thought = (value: string): ChatPart => ({ type: 'reasoning', text: value });
const call = (id: string, argumentsText: string, complete = false): ChatPart =>
  ({ type: 'tool-call', id, name: 'weather', argumentsText, complete, arguments: {} }) as ChatPart;

const names = (events: readonly SentEvent[]) => events.map(({ name }) => name);
const deltas = (events: readonly SentEvent[]) =>
  events
    .filter(({ name }) => name === 'content_block_delta')
    .map(({ data }) => [data.index, ...Object.values(data.delta as object)]);

describe("a stream of Anthropic's API", () => {
  it('begins, has a block of text, and ends', () => {
    const events = eventsOf([text('Hel'), text('lo "\n\u2028')]);
    expect(names(events)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(events[0]?.data.message).toMatchObject({
      id: 'msg_1',
      role: 'assistant',
      content: [],
      stop_reason: null,
      usage: { input_tokens: 6, cache_read_input_tokens: 4, output_tokens: 0 },
    });
    expect(deltas(events)).toEqual([
      [0, 'text_delta', 'Hel'],
      [0, 'text_delta', 'lo "\n\u2028'],
    ]);
    expect(events.at(-2)?.data).toMatchObject({
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: {
        input_tokens: 6,
        cache_read_input_tokens: 4,
        output_tokens: 7,
        output_tokens_details: { thinking_tokens: 3 },
      },
    });
  });

  it('signs thoughts before the text that follows them', () => {
    const events = eventsOf([thought('Hm.'), thought(' Yes.'), text('Yes.')]);
    expect(deltas(events)).toEqual([
      [0, 'thinking_delta', 'Hm.'],
      [0, 'thinking_delta', ' Yes.'],
      [0, 'signature_delta', expect.stringMatching(/./)],
      [1, 'text_delta', 'Yes.'],
    ]);
    expect(names(events).filter((name) => name.startsWith('content_block_st'))).toEqual([
      'content_block_start',
      'content_block_stop',
      'content_block_start',
      'content_block_stop',
    ]);
  });

  it('keeps thoughts to itself that the client does not want to see', () => {
    const events = eventsOf([thought('Hm.'), thought('Secret'), text('Yes.')], ended, {
      ...head,
      showsThinking: false,
    });
    expect(JSON.stringify(events)).not.toMatch(/Hm|Secret/);
    expect(deltas(events)).toEqual([
      [0, 'signature_delta', expect.any(String)],
      [1, 'text_delta', 'Yes.'],
    ]);
  });

  it('shows calls as they are written, each in a block of its own', () => {
    const events = eventsOf([
      text('Let me see.'),
      call('a', '{"city":'),
      call('a', '{"city":"Paris"}'),
      call('a', '{"city":"Paris"}', true),
      call('b', '{}', true),
    ]);
    expect(deltas(events)).toEqual([
      [0, 'text_delta', 'Let me see.'],
      [1, 'input_json_delta', '{"city":'],
      [1, 'input_json_delta', '"Paris"}'],
      [2, 'input_json_delta', '{}'],
    ]);
    const starts = events.filter(({ name }) => name === 'content_block_start').map(({ data }) => data);
    expect(starts[1]).toMatchObject({
      index: 1,
      content_block: { type: 'tool_use', id: 'a', name: 'weather', input: {} },
    });
    const stops = events.filter(({ name }) => name === 'content_block_stop').map(({ data }) => data.index);
    expect(stops).toEqual([0, 1, 2]);
  });

  it('ends a call that was cut off', () => {
    const events = eventsOf([call('a', '{"ci')], { ...ended, finishReason: 'length' });
    expect(names(events).slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop']);
  });

  it('has no block where nothing was said', () => {
    expect(names(eventsOf([]))).toEqual(['message_start', 'message_delta', 'message_stop']);
  });
});

describe("an answer of Anthropic's API", () => {
  it('holds thoughts, text and calls in this order', () => {
    const toolCalls = [{ id: 'a', name: 'weather', arguments: { city: 'Paris' } }];
    const result = { ...ended, reasoning: 'Hm.', toolCalls };
    expect(toContent(result, true)).toMatchObject([
      { type: 'thinking', thinking: 'Hm.' },
      { type: 'text', text: 'Hello' },
      { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'Paris' } },
    ]);
    expect(toContent(result, false)[0]).toMatchObject({ type: 'thinking', thinking: '' });
    expect(toContent({ ...ended, text: '' }, true)).toEqual([]);
  });

  it('says why it ended', () => {
    const why = (fields: Partial<ChatResult>) => {
      const { stop_reason, stop_sequence } = toEnding({ ...ended, ...fields }, head);
      return [stop_reason, stop_sequence];
    };
    expect(why({})).toEqual(['end_turn', null]);
    expect(why({ stopString: 'END' })).toEqual(['stop_sequence', 'END']);
    expect(why({ stopString: '<|im_end|>' })).toEqual(['end_turn', null]);
    expect(why({ finishReason: 'tool-calls' })).toEqual(['tool_use', null]);
    expect(why({ finishReason: 'length', usage: { ...ended.usage, completionTokens: 50 } })).toEqual([
      'max_tokens',
      null,
    ]);
    expect(why({ finishReason: 'length' })).toEqual(['model_context_window_exceeded', null]);
  });
});

describe("an error of Anthropic's API", () => {
  it.each([
    ['invalid-request', 'invalid_request_error'],
    ['unauthenticated', 'authentication_error'],
    ['forbidden', 'permission_error'],
    ['not-found', 'not_found_error'],
    ['too-large', 'request_too_large'],
    ['rate-limited', 'rate_limit_error'],
    ['timeout', 'timeout_error'],
    ['overloaded', 'overloaded_error'],
    ['internal', 'api_error'],
    ['cancelled', 'api_error'],
  ] as const)('of kind %s has the type %s', (kind, type) => {
    expect(toAnthropicError(new RequestError(kind, 'code', 'Why.'), { id: 'r1' })).toEqual({
      type: 'error',
      error: { type, message: 'Why.' },
      request_id: 'r1',
    });
  });
});
