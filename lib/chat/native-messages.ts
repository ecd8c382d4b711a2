import { toJsonText } from './check-messages.js';
import type { ChatMessage, ToolCall } from './types.js';

/** Plain data, as JSON has it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A model may write something that is not JSON; a template gets an empty object then, since many demand one. */
function toArguments(call: ToolCall): Json {
  const { arguments: value } = call;
  const parsed: unknown =
    typeof value === 'string' ? {} : JSON.parse(toJsonText(`the arguments of ${call.name}`, value));
  return typeof parsed === 'object' && parsed !== null ? (parsed as Json) : {};
}

function toNativeMessage(message: ChatMessage): Json {
  const { role, content, reasoning, toolCalls, toolCallId, name } = message;
  return {
    role,
    content: typeof content === 'string' ? content : content.map(({ text }) => ({ type: 'text', text })),
    ...(reasoning ? { reasoning_content: reasoning } : {}),
    ...(toolCalls?.length
      ? {
          tool_calls: toolCalls.map((call) => ({
            id: call.id,
            type: 'function',
            function: { name: call.name, arguments: toArguments(call) },
          })),
        }
      : {}),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
    ...(name === undefined ? {} : { name }),
  };
}

/** Messages in the form that llama.cpp reads, which is OpenAI's. */
export function toNativeMessages(messages: readonly ChatMessage[]): Json[] {
  return messages.map(toNativeMessage);
}
