import type {
  ChatFinishReason,
  ChatResult,
  GenerationChunk,
  GenerationResult,
  Logprob,
  TokenLogprob,
  ToolCall,
} from '../../index.js';

const finishReasons: Readonly<Record<ChatFinishReason, string>> = {
  stop: 'STOP',
  length: 'LENGTH',
  cancelled: 'CANCELLED',
  'tool-calls': 'TOOL_CALLS',
};

/** How an answer ended. */
export function toEnd(model: string, result: GenerationResult | ChatResult): object {
  const { finishReason, stopString = '', usage, timings } = result;
  return { model, finishReason: finishReasons[finishReason], stopString, usage, timings };
}

const toLogprob = ({ token, text, logprob }: Logprob) => ({ token, text, logprob });

function toLogprobs(logprobs: readonly TokenLogprob[] = []): object[] {
  return logprobs.map((entry) => ({ chosen: toLogprob(entry), top: entry.top.map(toLogprob) }));
}

/** A whole generation. */
export function toGenerateResponse(model: string, result: GenerationResult): object {
  const { text, tokens, logprobs } = result;
  return { text, tokens, logprobs: toLogprobs(logprobs), end: toEnd(model, result) };
}

/** A piece of a generation. */
export function toGenerateEvent({ text, tokens, logprobs }: GenerationChunk): object {
  return { chunk: { text, tokens, ...(logprobs && { logprobs: toLogprobs(logprobs) }) } };
}

function toToolCall({ id, name, arguments: value }: ToolCall): object {
  return { id, name, arguments: typeof value === 'string' ? value : JSON.stringify(value) };
}

/** A whole answer. */
export function toChatResponse(model: string, result: ChatResult): object {
  const { text, reasoning, toolCalls } = result;
  return { text, reasoning, toolCalls: toolCalls.map(toToolCall), end: toEnd(model, result) };
}
