import Type, { type Static } from 'typebox';
import type { ChatContent, ChatMessage, TextContentPart, ToolCall } from '../../index.js';
import { invalidField } from '../failures.js';
import { Nullable } from './nullable.js';

const ContentPart = Type.Object({
  type: Type.String({ description: '`text`; images and audio are not supported yet.' }),
  text: Type.Optional(Type.String()),
});

const MessageToolCall = Type.Object({
  id: Type.String(),
  type: Type.Optional(Type.String()),
  function: Type.Object({ name: Type.String(), arguments: Type.String({ description: 'JSON.' }) }),
});

/** A message of a conversation, in the form of OpenAI's API. */
export const ChatMessageSchema = Type.Object({
  role: Type.String({ description: '`system`, `developer`, `user`, `assistant` or `tool`.' }),
  content: Nullable(Type.Union([Type.String(), Type.Array(ContentPart)])),
  name: Nullable(Type.String()),
  reasoning_content: Nullable(Type.String()),
  tool_calls: Nullable(Type.Array(MessageToolCall)),
  tool_call_id: Nullable(Type.String()),
});

type Message = Static<typeof ChatMessageSchema>;

function toContent(content: Message['content'], name: string): ChatContent {
  if (content === undefined || content === null) return '';
  if (typeof content === 'string') return content;
  return content.map(({ type, text }, index): TextContentPart => {
    if (type === 'text' && text !== undefined) return { type, text };
    throw invalidField(
      `${name}.content[${index}]`,
      `Expected a part of type text in ${name}.content[${index}]; received one of type ${JSON.stringify(type)}. Images and audio are not supported yet.`,
    );
  });
}

/** Arguments as the library has them; those that are no JSON stay text. */
function toToolCall({ id, function: { name, arguments: text } }: Static<typeof MessageToolCall>): ToolCall {
  try {
    return { id, name, arguments: JSON.parse(text) };
  } catch {
    return { id, name, arguments: text };
  }
}

function toChatMessage(message: Message, index: number): ChatMessage {
  const { role, content, name, reasoning_content: reasoning, tool_calls: toolCalls } = message;
  return {
    role: role === 'developer' ? 'system' : role,
    content: toContent(content, `messages[${index}]`),
    ...(typeof name === 'string' && { name }),
    ...(typeof reasoning === 'string' && { reasoning }),
    ...(toolCalls?.length && { toolCalls: toolCalls.map(toToolCall) }),
    ...(typeof message.tool_call_id === 'string' && { toolCallId: message.tool_call_id }),
  };
}

/** The library's messages for those of OpenAI's API. @throws RequestError for parts that are not text. */
export function toChatMessages(messages: readonly Message[]): ChatMessage[] {
  return messages.map(toChatMessage);
}
