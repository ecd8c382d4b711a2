import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4ToolCall,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
} from '@ai-sdk/provider';
import { type ChatFace, countReasoningTokens } from '../ecosystem/model-face.js';
import type { ChatFinishReason, ChatResult, ToolCall } from '../index.js';

/** Why an answer ended, in both words. */
export function toFinishReason(reason: ChatFinishReason): LanguageModelV4FinishReason {
  return { unified: reason === 'cancelled' ? 'other' : reason, raw: reason };
}

/** A call with its arguments as JSON; what the model wrote, if that is none, for the AI SDK to repair or refuse. */
export function toToolCall({ id, name, arguments: input }: ToolCall): LanguageModelV4ToolCall {
  return {
    type: 'tool-call',
    toolCallId: id,
    toolName: name,
    input: typeof input === 'string' ? input : JSON.stringify(input),
  };
}

/** What an answer holds, in the order in which it was made. */
export function toContent({ reasoning, text, toolCalls }: ChatResult): LanguageModelV4Content[] {
  return [
    ...(reasoning === '' ? [] : [{ type: 'reasoning' as const, text: reasoning }]),
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...toolCalls.map(toToolCall),
  ];
}

/** How many tokens were read and made. */
export async function toUsage(model: ChatFace, result: ChatResult): Promise<LanguageModelV4Usage> {
  const { promptTokens, cachedTokens, completionTokens } = result.usage;
  const reasoning = await countReasoningTokens(model, result.reasoning, completionTokens);
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: completionTokens, text: completionTokens - reasoning, reasoning },
    raw: { ...result.usage },
  };
}

/** What the AI SDK has no place for: timings, and the stop string that ended the answer. */
export function toProviderMetadata({ timings, stopString }: ChatResult): SharedV4ProviderMetadata {
  return { llamaNative: { timings: { ...timings }, ...(stopString !== undefined && { stopString }) } };
}
