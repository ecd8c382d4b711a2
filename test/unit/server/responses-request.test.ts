import { describe, expect, it } from 'vitest';
import { type ResponsesBody, readResponsesCall } from '../../../lib/server/openai/responses/request.js';
import { ResponseStore } from '../../../lib/server/openai/responses/store.js';

const store = new ResponseStore();
const tool = {
  type: 'function',
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};
const clock = { type: 'function', name: 'clock' };
const read = (body: object) => readResponsesCall({ input: 'Hi', ...body } as ResponsesBody, store, 'me');

describe('a request for a response', () => {
  it('becomes options of a chat', () => {
    const { options, format } = read({
      max_output_tokens: 5,
      temperature: 0.5,
      top_p: 0.9,
      seed: 1,
      stop: 'END',
      reasoning: { effort: 'low', summary: 'auto' },
      tools: [tool],
      tool_choice: 'required',
      parallel_tool_calls: false,
    });
    expect(options).toMatchObject({
      maxTokens: 5,
      temperature: 0.5,
      topP: 0.9,
      seed: 1,
      stop: ['END'],
      variables: { reasoning_effort: 'low' },
      toolChoice: 'required',
      parallelToolCalls: false,
      maxSteps: 1,
    });
    expect(Object.keys(options.tools ?? {})).toEqual(['weather']);
    expect(format).toBeUndefined();
  });

  it('takes null for what is left out', () => {
    const fields = ['max_output_tokens', 'temperature', 'top_p', 'tools', 'tool_choice', 'text', 'reasoning'];
    const more = ['instructions', 'previous_response_id', 'background', 'conversation', 'prompt', 'include'];
    expect(read(Object.fromEntries([...fields, ...more].map((name) => [name, null]))).options).toEqual({});
  });

  it('may allow some of its tools only', () => {
    const choice = { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'clock' }] };
    const { options } = read({ tools: [tool, clock], tool_choice: choice });
    expect(Object.keys(options.tools ?? {})).toEqual(['clock']);
    expect(options.toolChoice).toBe('required');
  });

  it('may ask for JSON', () => {
    const schema = { type: 'object' };
    const format = { type: 'json_schema', name: 'answer', schema, strict: true };
    expect(read({ text: { format } }).format).toMatchObject({ schema, isStrict: true, isDescribed: true });
    expect(read({ text: { format: { type: 'json_object' } } }).format).toMatchObject({ schema });
    expect(read({ text: { format: { type: 'text' } } }).format).toBeUndefined();
    expect(read({ text: { verbosity: 'low' } }).format).toBeUndefined();
  });

  it.each([
    [{ input: undefined }, 'input'],
    [{ previous_response_id: 'resp_9' }, 'previous_response_id'],
    [{ background: true }, 'background'],
    [{ conversation: 'conv_1' }, 'conversation'],
    [{ prompt: { id: 'x' } }, 'prompt'],
    [{ top_logprobs: 3 }, 'top_logprobs'],
    [{ tools: 5 }, 'tools'],
    [{ tools: [5] }, 'tools[0]'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].name'],
    [{ tools: [{ ...tool, parameters: 'x' }] }, 'tools[0].parameters'],
    [{ tools: [tool, tool] }, 'tools'],
    [{ tools: [tool], tool_choice: 'maybe' }, 'tool_choice'],
    [{ tools: [tool], tool_choice: { type: 'function' } }, 'tool_choice.name'],
    [{ tools: [tool], tool_choice: { type: 'function', name: 'clock' } }, 'tool_choice'],
    [
      { tools: [tool], tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [clock] } },
      'tool_choice.tools',
    ],
    [{ tools: [tool], tool_choice: { type: 'allowed_tools', tools: [tool] } }, 'tool_choice.mode'],
    [{ tools: [tool], tool_choice: { type: 'allowed_tools', mode: 'auto' } }, 'tool_choice.tools'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ text: { format: { type: 'xml' } } }, 'text.format.type'],
    [{ text: { format: 'json' } }, 'text.format'],
    [{ text: { format: { type: 'json_schema', name: 'x' } } }, 'text.format.schema'],
    [{ reasoning: { effort: 'much' } }, 'reasoning.effort'],
    [{ reasoning: { effort: 5 } }, 'reasoning.effort'],
    [{ stop: [''] }, 'stop[0]'],
  ])('is refused with the field that is wrong: %j', (fields, param) => {
    expect(() => read(fields)).toThrow(expect.objectContaining({ param }));
  });
});
