import type { ChatResult, PromptUsage, Usage } from '../../index.js';

/** What an answer is told with, whatever it says. */
export interface AnswerHead {
  /** Such as `msg_…`. */
  readonly id: string;
  /** Name of the model. */
  readonly model: string;
  readonly stopSequences: readonly string[];
  readonly showsThinking: boolean;
  readonly maxTokens: number;
}

/**
 * What stands for the signature that Anthropic puts under thoughts: clients hand thoughts back only with one. It is not
 * looked at when it comes back.
 */
export const thoughtSignature = 'unsigned';

/** A block of an answer: `thinking`, `text` or `tool_use`. */
export interface ContentBlock {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What an answer holds, in the order in which it was made. */
export function toContent(
  { reasoning, text, toolCalls }: ChatResult,
  showsThinking: boolean,
): ContentBlock[] {
  const thinking = showsThinking ? reasoning : '';
  return [
    ...(reasoning === '' ? [] : [{ type: 'thinking', thinking, signature: thoughtSignature }]),
    ...(text === '' ? [] : [{ type: 'text', text, citations: null }]),
    ...toolCalls.map(({ id, name, arguments: input }) => ({
      type: 'tool_use',
      id,
      name,
      input,
      caller: { type: 'direct' },
    })),
  ];
}

/** Why an answer ended. */
export interface Ending {
  readonly stop_reason: string;
  readonly stop_sequence: string | null;
}

/** A stop string that the client did not ask for is one of the template's, and the usual end of an answer. */
export function toEnding(
  { finishReason, stopString, usage }: ChatResult,
  { stopSequences, maxTokens }: AnswerHead,
): Ending {
  if (stopString !== undefined && finishReason === 'stop' && stopSequences.includes(stopString)) {
    return { stop_reason: 'stop_sequence', stop_sequence: stopString };
  }
  const isContextFull = finishReason === 'length' && usage.completionTokens < maxTokens;
  const reasons = {
    stop: 'end_turn',
    cancelled: 'end_turn',
    'tool-calls': 'tool_use',
    length: isContextFull ? 'model_context_window_exceeded' : 'max_tokens',
  } as const;
  return { stop_reason: reasons[finishReason], stop_sequence: null };
}

/** Tokens of a prompt: those that were cached are not among the others. */
export function toPromptUsage({ promptTokens, cachedTokens }: PromptUsage) {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
  };
}

/** How many tokens were read and made. */
export function toUsage(usage: Usage, thinkingTokens: number) {
  return {
    ...toPromptUsage(usage),
    output_tokens: usage.completionTokens,
    output_tokens_details: { thinking_tokens: thinkingTokens },
    server_tool_use: null,
  };
}

/** A message without what is known only later. */
export function toMessage<Rest extends object>({ id, model }: AnswerHead, rest: Rest) {
  return {
    id,
    type: 'message' as const,
    role: 'assistant' as const,
    model,
    content: [] as ContentBlock[],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    ...rest,
  };
}
