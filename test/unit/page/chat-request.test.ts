import { describe, expect, it } from 'vitest';
import {
  type ChatSettings,
  readNumberSetting,
  readSchema,
  toChatRequest,
} from '../../../page/api/chat-request.js';

const plain: ChatSettings = { systemPrompt: ' ', format: 'text', schema: '{"type":"object"}' };
const path = [
  { id: '1', role: 'user', text: 'Hi', createdMs: 0, children: [] },
  { id: '2', role: 'assistant', text: 'Hello', reasoning: 'Hm', createdMs: 0, children: [] },
] as const;

describe('the request of the page', () => {
  it('says nothing of what is not set', () => {
    expect(toChatRequest(plain, path)).toEqual({
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
      ],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('carries what is set, zeros included', () => {
    const settings: ChatSettings = {
      ...plain,
      model: 'm',
      systemPrompt: 'Be brief.',
      temperature: 0,
      topP: 0.9,
      topK: 0,
      minP: 0.1,
      maxTokens: 5,
      seed: 0,
      thinking: false,
    };
    expect(toChatRequest(settings, [])).toMatchObject({
      model: 'm',
      messages: [{ role: 'system', content: 'Be brief.' }],
      temperature: 0,
      top_p: 0.9,
      top_k: 0,
      min_p: 0.1,
      max_tokens: 5,
      seed: 0,
      chat_template_kwargs: { enable_thinking: false },
    });
  });

  it('holds answers to JSON or to a schema', () => {
    expect(toChatRequest({ ...plain, format: 'json' }, [])).toMatchObject({
      response_format: { type: 'json_object' },
    });
    expect(toChatRequest({ ...plain, format: 'schema' }, [])).toMatchObject({
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'object' } } },
    });
  });
});

describe('a number that is typed', () => {
  it.each([
    ['temperature', '0.7', 0.7],
    ['temperature', ' 0 ', 0],
    ['temperature', '', undefined],
    ['temperature', '-1', undefined],
    ['temperature', '9', undefined],
    ['temperature', 'warm', undefined],
    ['topK', '40', 40],
    ['topK', '1.5', undefined],
    ['maxTokens', '0', undefined],
    ['seed', '4294967295', 4_294_967_295],
    ['seed', 'NaN', undefined],
  ] as const)('%s of %j is %s', (name, text, value) => {
    expect(readNumberSetting(name, text)).toBe(value);
  });
});

describe('a schema that is typed', () => {
  it('is an object', () => {
    expect(readSchema('{"type":"string"}')).toEqual({ schema: { type: 'string' } });
    for (const wrong of ['', '{', '[]', '5', 'null']) expect(readSchema(wrong)).toHaveProperty('problem');
  });
});
