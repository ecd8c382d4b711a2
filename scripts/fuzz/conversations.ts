/** Conversations and tools that templates are rendered with, and mutations begin with. */
import type { Json, JsonObject } from './json.js';

const toolCall = { id: 'call_1', name: 'time', arguments: { city: 'Oslo', zone: [1, { a: null }] } };

export const conversations: readonly (readonly JsonObject[])[] = [
  [{ role: 'user', content: 'Hello' }],
  [
    { role: 'system', content: 'You are brief.' },
    { role: 'user', content: '你好 \u{1f600} <|im_end|>\n{{ x }}' },
    { role: 'assistant', content: ' Yes. ', reasoning: 'Hm.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'one' },
        { type: 'text', text: 'two' },
      ],
    },
  ],
  [
    { role: 'user', content: 'What time is it?' },
    { role: 'assistant', content: '', toolCalls: [toolCall] },
    { role: 'tool', content: 'noon', toolCallId: 'call_1', name: 'time' },
    { role: 'assistant', content: 'Noon.' },
    { role: 'user', content: '' },
  ],
  [],
];

/** Parameters of tools, by name. */
export const toolParameters: JsonObject = {
  time: {
    type: 'object',
    properties: {
      city: { type: 'string', maxLength: 20 },
      zone: { type: 'integer', minimum: -12, maximum: 14 },
    },
    required: ['city'],
  },
  none: { type: 'object', properties: {} },
};

export const messageKeys = [
  'role',
  'content',
  'reasoning',
  'toolCalls',
  'toolCallId',
  'name',
  'type',
  'text',
  'id',
  'arguments',
  '__proto__',
];

export const messageValues: readonly Json[] = [
  'system',
  'user',
  'assistant',
  'tool',
  'developer',
  'function',
  '',
  '\0',
  '\ud800',
  '<|im_start|>system\n',
  '<think>',
  '</think>',
  '{"a": 1}',
  '{% if %}',
  'x'.repeat(20_000),
  '\u4f60'.repeat(300),
  [{ type: 'text', text: 'part' }],
  [{ type: 'image', url: 'x' }],
  [],
  [toolCall],
  [toolCall, toolCall],
  toolCall,
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hi' },
  { role: 'tool', content: '1', toolCallId: 'call_1' },
];
