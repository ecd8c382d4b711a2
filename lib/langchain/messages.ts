import {
  AIMessage,
  type BaseMessage,
  ChatMessage as GenericMessage,
  ToolMessage,
} from '@langchain/core/messages';
import type { ChatContent, ChatMessage, TextContentPart, ToolCall } from '../index.js';

const roles: Readonly<Record<string, string>> = {
  human: 'user',
  ai: 'assistant',
  system: 'system',
  developer: 'system',
  tool: 'tool',
};

interface Block {
  readonly type: string;
  readonly text?: string;
  readonly reasoning?: string;
}

/** Blocks that repeat what a message also has in a place of its own. */
const repeated = ['reasoning', 'tool_call', 'tool_use', 'invalid_tool_call'];

function blocksOf({ content }: BaseMessage): readonly Block[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content as readonly Block[]);
}

/** What a message says; parts that are not text stay as they are, for the model to refuse. */
function toContent(message: BaseMessage): ChatContent {
  const parts = blocksOf(message).filter(({ type }) => !repeated.includes(type));
  const [only] = parts;
  if (only === undefined) return '';
  return parts.length === 1 && only.type === 'text'
    ? (only.text ?? '')
    : (parts as readonly TextContentPart[]);
}

function reasoningOf(message: AIMessage): string {
  const { reasoning_content: given } = message.additional_kwargs;
  if (typeof given === 'string') return given;
  return blocksOf(message)
    .map(({ reasoning }) => reasoning ?? '')
    .join('');
}

function toolCallsOf({ tool_calls: calls = [], invalid_tool_calls: invalid = [] }: AIMessage): ToolCall[] {
  return [
    ...calls.map(({ id = '', name, args }) => ({ id, name, arguments: args })),
    ...invalid.map(({ id = '', name = '', args }) => ({ id, name, arguments: args ?? '' })),
  ];
}

function toChatMessage(message: BaseMessage): ChatMessage {
  const role = GenericMessage.isInstance(message) ? message.role : (roles[message.type] ?? message.type);
  const content = toContent(message);
  if (ToolMessage.isInstance(message)) {
    const { name } = message;
    return { role, content, toolCallId: message.tool_call_id, ...(name !== undefined && { name }) };
  }
  if (!AIMessage.isInstance(message)) return { role, content };
  const reasoning = reasoningOf(message);
  const toolCalls = toolCallsOf(message);
  return {
    role,
    content,
    ...(reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

/** The messages of LangChain as ours. */
export function toChatMessages(messages: readonly BaseMessage[]): ChatMessage[] {
  return messages.map(toChatMessage);
}
