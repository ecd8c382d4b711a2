import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AnswerReader } from '../../lib/chat/answer-reader.js';
import { isContentToEnd } from '../../lib/chat/content-to-end.js';
import { boundCalls, boundIds, callAtOnce, closeAtOnce, escapeTexts } from '../../lib/chat/tool-grammar.js';
import type { ChatPart } from '../../lib/index.js';
import { getAddon, type ModelHandle, type NativeChatMessage } from '../../lib/native/addon.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';
import {
  type ParserCase,
  readParserCases,
  type VendoredMessage,
  type VendoredTool,
} from '../helpers/vendored-parser-cases.js';

const cases = await readParserCases();
const families: Readonly<Record<string, RegExp>> = {
  Qwen: /qwen|qwq/i,
  Llama: /llama-3|functionary|firefunction/i,
  Gemma: /gemma/i,
  Mistral: /mistral|ministral|magistral|devstral/i,
  DeepSeek: /deepseek/i,
  GLM: /glm/i,
};
let equal = 0;
/** Cases whose content is known to go on to the end, and is shown without being read again. */
let withContentToEnd = 0;
let grammars = 0;
let model: ModelHandle;

beforeAll(async () => {
  const addon = getAddon();
  const options = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
  const path = vendoredPath('models', 'ggml-vocab-llama-spm.gguf');
  model = await addon.loadModel(path, options, addon.createCancelFlag(), () => {});
});

afterAll(async () => {
  await getAddon().closeModel(model);
  const perFamily = Object.entries(families).map(
    ([name, pattern]) => `${name} ${cases.filter(({ template }) => pattern.test(template)).length}`,
  );
  console.log(
    `chat parsing: ${equal} of ${cases.length} equal; among them ${perFamily.join(', ')}; ${grammars} grammars, ${withContentToEnd} with content to the end`,
  );
});

test('all cases of test-chat.cpp are read, and those of the best known families are among them', () => {
  // 423 calls of run(), of which a function of 16 runs for three templates and a loop runs for three.
  expect(cases).toHaveLength(461);
  expect(new Set(cases.map(({ template }) => template)).size).toBe(58);
  for (const pattern of Object.values(families))
    expect(cases.some(({ template }) => pattern.test(template))).toBe(true);
});

const helloUser = { role: 'user', content: 'Hey there!' };

function toNative(message: VendoredMessage): object {
  const { role, content, reasoning, toolCalls, toolName, toolCallId } = message;
  return {
    role,
    content,
    ...(reasoning && { reasoning_content: reasoning }),
    ...(toolName && { name: toolName }),
    ...(toolCallId && { tool_call_id: toolCallId }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map((call) => ({
        id: call.id,
        type: 'function',
        function: { name: call.name, arguments: call.arguments },
      })),
    }),
  };
}

function toNativeTool({ name, description, parameters }: VendoredTool): object {
  return { type: 'function', function: { name, description, parameters: JSON.parse(parameters || '{}') } };
}

async function createParse(given: ParserCase) {
  const messages = given.messages.length === 0 ? [helloUser] : given.messages.map(toNative);
  const addon = getAddon();
  const rendered = await addon.applyChatTemplate(model, JSON.stringify(messages), {
    ...given,
    template: await readVendored('models', 'templates', given.template),
    beginOfSequence: '',
    endOfSequence: '',
    tools: given.tools.length === 0 ? undefined : JSON.stringify(given.tools.map(toNativeTool)),
  });
  if (rendered.grammar !== '') {
    // Each of them is one that the sampler takes, also in the forms that this library makes of it.
    const readable = escapeTexts(closeAtOnce(boundIds(rendered.grammar)));
    const bounded = [1, 3].map((most) => callAtOnce(boundCalls(readable, most)));
    for (const grammar of [rendered.grammar, ...bounded]) {
      expect(await addon.matchesGrammar(model, grammar, new Int32Array())).toBeTypeOf('boolean');
    }
    grammars++;
  }
  const parser = await addon.createChatParser({
    format: rendered.format,
    source: rendered.parser,
    generationPrompt: rendered.generationPrompt,
    isContinuation: false, // as in test-chat.cpp, which looks at the whole message
  });
  const parse = (text: string, isPartial: boolean) => addon.parseChat(parser, text, isPartial);
  return { parse, contentToEnd: isContentToEnd(rendered.parser) };
}

function toValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return ''; // half-written arguments are not compared, as in test-chat.cpp
  }
}

/** What test-chat.cpp compares: texts without outer white space, arguments as JSON. */
function comparable({ content, reasoning, toolCalls }: Omit<NativeChatMessage, 'role'>) {
  return {
    content: content.trim(),
    reasoning: reasoning.trim(),
    toolCalls: toolCalls.map((call) => ({ ...call, arguments: toValue(call.arguments) })),
  };
}

/** The message that the parts of a stream tell. */
function assemble(parts: readonly ChatPart[]) {
  const joined = (type: 'text' | 'reasoning') =>
    parts.flatMap((part) => (part.type === type ? [part.text] : [])).join('');
  const calls = parts.flatMap((part) => (part.type === 'tool-call' && part.complete ? [part] : []));
  return {
    content: joined('text').trim(),
    reasoning: joined('reasoning').trim(),
    toolCalls: calls.map(({ name, argumentsText }) => ({ name, arguments: toValue(argumentsText) })),
  };
}

describe('an answer is read as test-chat.cpp expects', () => {
  test.each(cases)('$template, line $line', async (given) => {
    const { parse, contentToEnd } = await createParse(given);
    const whole = await parse(given.input, given.isPartial);
    expect(comparable(whole)).toEqual(comparable(given.expected));

    const parts: ChatPart[] = [];
    const reader = new AnswerReader(parse, (part) => parts.push(part), contentToEnd);
    for (const character of given.input) {
      reader.push(character);
      await new Promise(setImmediate);
    }
    const answer = await reader.end(given.isPartial);
    const streamed = assemble(parts);
    const expected = comparable(whole);
    expect(streamed).toEqual({
      ...expected,
      toolCalls: expected.toolCalls.map(({ id: _id, ...call }) => call),
    });
    expect(answer.toolCalls.every(({ id }) => id !== '')).toBe(true);
    expect(isDeepStrictEqual(answer.content, whole.content)).toBe(true);
    if (contentToEnd) withContentToEnd++;
    equal++;
  });
});
