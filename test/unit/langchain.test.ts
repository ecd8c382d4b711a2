import {
  AIMessage,
  ChatMessage as GenericMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from '@langchain/core/messages';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ChatResult } from '../../lib/index.js';
import { ChatLlamaNative, type ChatLlamaNativeCallOptions } from '../../lib/langchain/index.js';
import { toChatMessages } from '../../lib/langchain/messages.js';
import { toToolOptions } from '../../lib/langchain/tools.js';
import { recordingModel } from '../helpers/recording-model.js';

describe('messages of LangChain', () => {
  it('of all kinds become messages of this library', () => {
    const messages = [
      new SystemMessage('Be brief.'),
      new HumanMessage({
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      }),
      new AIMessage({
        content: 'I ask.',
        additional_kwargs: { reasoning_content: 'Hm.' },
        tool_calls: [{ id: '1', name: 'weather', args: { city: 'Rome' } }],
        invalid_tool_calls: [{ id: '2', name: 'weather', args: '{"ci' }],
      }),
      new ToolMessage({ tool_call_id: '1', name: 'weather', content: 'clear' }),
      new GenericMessage({ role: 'assistant', content: 'Bye' }),
    ];
    expect(toChatMessages(messages)).toEqual([
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      {
        role: 'assistant',
        content: 'I ask.',
        reasoning: 'Hm.',
        toolCalls: [
          { id: '1', name: 'weather', arguments: { city: 'Rome' } },
          { id: '2', name: 'weather', arguments: '{"ci' },
        ],
      },
      { role: 'tool', content: 'clear', toolCallId: '1', name: 'weather' },
      { role: 'assistant', content: 'Bye' },
    ]);
  });

  it('in blocks keep reasoning and calls out of the text', () => {
    const content = [
      { type: 'reasoning', reasoning: 'Hm.' },
      { type: 'text', text: 'Yes.' },
      { type: 'tool_call', id: '1', name: 'a', args: {} },
    ];
    const message = new AIMessage({ content, tool_calls: [{ id: '1', name: 'a', args: {} }] });
    expect(toChatMessages([message])).toEqual([
      {
        role: 'assistant',
        content: 'Yes.',
        reasoning: 'Hm.',
        toolCalls: [{ id: '1', name: 'a', arguments: {} }],
      },
    ]);
  });
});

describe('tools of LangChain', () => {
  const tool = { name: 'a', description: 'Does a.', schema: z.object({ b: z.string() }) };

  it('are described, and nothing here executes them', () => {
    const { tools, toolChoice, maxSteps } = toToolOptions([tool]);
    expect(tools).toEqual({
      a: {
        description: 'Does a.',
        parameters: expect.objectContaining({ type: 'object', properties: { b: { type: 'string' } } }),
      },
    });
    expect({ toolChoice, maxSteps }).toEqual({ toolChoice: 'auto', maxSteps: 1 });
    expect(toToolOptions([], 'any')).toEqual({});
  });

  it.each([
    ['auto', 'auto'],
    ['none', 'none'],
    ['any', 'required'],
    ['required', 'required'],
    ['a', { name: 'a' }],
    [{ type: 'function', function: { name: 'a' } }, { name: 'a' }],
    [{ type: 'tool', name: 'a' }, { name: 'a' }],
  ])('are chosen by %j', (choice, expected) => {
    expect(toToolOptions([tool], choice).toolChoice).toEqual(expected);
  });
});

describe('a chat model of LangChain', () => {
  async function ask(options: Partial<ChatLlamaNativeCallOptions>, answer: Partial<ChatResult> = {}) {
    const model = recordingModel(answer);
    const chat = new ChatLlamaNative({ model, minP: 0.1, stop: ['END'], tags: ['mine'] });
    const message = await chat.invoke('Hi', options);
    return { ...model.asked[0], message, chat };
  }

  it('passes on its own options and those of the call, and nothing of LangChain', async () => {
    const { options } = await ask({ minP: 0.2, seed: 3, tags: ['x'], metadata: { y: 1 }, runName: 'z' });
    expect(options).toEqual({ minP: 0.2, seed: 3, stop: ['END'] });
  });

  it('describes a schema only where that is asked for', async () => {
    const jsonSchema = { type: 'object' };
    expect((await ask({ jsonSchema })).messages).toHaveLength(1);
    const { messages, options } = await ask({ jsonSchema, describeSchema: true });
    expect(messages?.[0]).toMatchObject({ role: 'system', content: expect.stringContaining('JSON schema') });
    expect(options).toMatchObject({ jsonSchema });
  });

  it('tells calls from those whose arguments are no object', async () => {
    const { message } = await ask(
      {},
      {
        toolCalls: [
          { id: '1', name: 'a', arguments: { b: 1 } },
          { id: '2', name: 'a', arguments: '{"b' },
        ],
      },
    );
    expect(message.tool_calls).toMatchObject([{ id: '1', name: 'a', args: { b: 1 } }]);
    expect(message.invalid_tool_calls).toMatchObject([{ id: '2', name: 'a', args: '{"b' }]);
  });

  it('tells traces which model it is', async () => {
    const { chat } = await ask({});
    expect(chat.getLsParams({} as never)).toEqual({
      ls_provider: 'llama-native',
      ls_model_name: 'Recorder',
      ls_model_type: 'chat',
      ls_stop: ['END'],
    });
    expect(chat._identifyingParams()).toEqual({ model_name: 'Recorder', minP: 0.1, stop: ['END'] });
  });
});
