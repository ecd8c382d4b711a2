import type { ChatMessage, TextContentPart, ToolCall } from '../../index.js';
import { RequestError } from '../failures.js';
import { type JsonObject, readArray, readObject, readOptionalText, readText, unexpected } from './checks.js';

/** The error of content that no model here can take. */
export function unsupportedContent(param: string, type: unknown): RequestError {
  const message = `Expected parts of type text for ${param}; received ${JSON.stringify(type) ?? 'none'}. Images, audio and files are not supported yet. Send text.`;
  return new RequestError('invalid-request', 'unsupported_content', message, { param });
}

/** The types of parts that are text: those of chat completions and of responses. */
const textTypes = ['text', 'input_text', 'output_text', 'summary_text'];

function textOfPart(value: unknown, param: string): string {
  const part = readObject(value, param, 'a part such as {"type":"text","text":"…"}');
  if (part.type === 'refusal') return readText(part.refusal, `${param}.refusal`);
  if (typeof part.type !== 'string' || !textTypes.includes(part.type)) {
    throw unsupportedContent(param, part.type);
  }
  return readText(part.text, `${param}.text`);
}

/**
 * Content of a message: a text, or parts of text. One part becomes a string, since some templates take nothing else.
 * @throws RequestError 400, also for images and audio.
 */
export function readContent(content: unknown, param: string): string | TextContentPart[] {
  if (typeof content === 'string') return content;
  const parts = readArray(content, param, 'a string or an array of parts');
  const texts = parts.map((part, index) => textOfPart(part, `${param}[${index}]`));
  const [only = '', ...others] = texts;
  return others.length === 0 ? only : texts.map((text) => ({ type: 'text', text }));
}

/** The value of the JSON that a model wrote as arguments; what it wrote, if that is none. */
export function parseArguments(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function readToolCall(value: unknown, param: string): ToolCall {
  const call = readObject(value, param);
  if (call.type !== undefined && call.type !== 'function') {
    throw unexpected(`${param}.type`, '"function", the only kind of call there is', call.type);
  }
  const called = readObject(call.function, `${param}.function`);
  return {
    id: readText(call.id, `${param}.id`),
    name: readText(called.name, `${param}.function.name`),
    arguments: parseArguments(readText(called.arguments, `${param}.function.arguments`, 'JSON as a string')),
  };
}

function readToolCalls(calls: unknown, param: string): ToolCall[] {
  if (calls === undefined || calls === null) return [];
  return readArray(calls, param).map((call, index) => readToolCall(call, `${param}[${index}]`));
}

function readAssistant(message: JsonObject, param: string): ChatMessage {
  for (const name of ['function_call', 'audio']) {
    if (message[name] === undefined || message[name] === null) continue;
    throw unexpected(`${param}.${name}`, 'nothing (calls are in tool_calls)', message[name]);
  }
  const toolCalls = readToolCalls(message.tool_calls, `${param}.tool_calls`);
  const reasoning =
    readOptionalText(message.reasoning_content, `${param}.reasoning_content`) ??
    readOptionalText(message.reasoning, `${param}.reasoning`);
  const { content = null } = message;
  const said = content ?? readOptionalText(message.refusal, `${param}.refusal`);
  if (said === undefined && toolCalls.length === 0 && reasoning === undefined) {
    throw unexpected(`${param}.content`, 'a string or an array of parts, or tool_calls beside it', content);
  }
  return {
    role: 'assistant',
    content: said === undefined ? '' : readContent(said, `${param}.content`),
    ...(reasoning !== undefined && reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

function readMessage(value: unknown, param: string, names: ReadonlyMap<string, string>): ChatMessage {
  const message = readObject(value, param, 'an object with role and content');
  const name = readOptionalText(message.name, `${param}.name`);
  const named = name === undefined ? {} : { name };
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: readContent(message.content, `${param}.content`), ...named };
    case 'user':
      return { role: 'user', content: readContent(message.content, `${param}.content`), ...named };
    case 'assistant':
      return { ...readAssistant(message, param), ...named };
    case 'tool': {
      const toolCallId = readText(message.tool_call_id, `${param}.tool_call_id`);
      const called = name ?? names.get(toolCallId);
      const content = readContent(message.content, `${param}.content`);
      return { role: 'tool', content, toolCallId, ...(called !== undefined && { name: called }) };
    }
    default:
      throw unexpected(`${param}.role`, 'system, developer, user, assistant or tool', message.role);
  }
}

/**
 * The messages of a chat completion. `developer` is `system` here; results of tools get the name of their call, which
 * some templates write.
 * @throws RequestError 400 naming the field.
 */
export function readMessages(value: unknown, param = 'messages'): ChatMessage[] {
  const list = readArray(value, param, 'an array of messages');
  if (list.length === 0) throw unexpected(param, 'at least one message', list);
  const names = new Map<string, string>();
  return list.map((item, index) => {
    const message = readMessage(item, `${param}[${index}]`, names);
    for (const call of message.toolCalls ?? []) names.set(call.id, call.name);
    return message;
  });
}
