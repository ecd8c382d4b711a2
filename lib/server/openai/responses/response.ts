import type { ChatResult, Usage } from '../../../index.js';
import { nowSeconds } from '../identity.js';
import { newItemId } from './identity.js';
import type { Item } from './items.js';
import type { ResponsesBody } from './request.js';

/** What of a response is known before it is made. */
export interface ResponseHead {
  readonly id: string;
  readonly object: 'response';
  readonly created_at: number;
  readonly model: string;
  readonly [field: string]: unknown;
}

/** The head of a response: what the request asked for comes back in it. */
export function toHead(body: ResponsesBody, model: string): ResponseHead {
  return {
    id: newItemId('resp'),
    object: 'response',
    created_at: nowSeconds(),
    model,
    background: false,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: null, summary: null, ...body.reasoning },
    store: body.store ?? true,
    temperature: body.temperature ?? null,
    text: { format: { type: 'text' }, ...body.text },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? null,
    truncation: 'disabled',
  };
}

/** A response that is being made. */
export function inProgress(head: ResponseHead): object {
  const nothing = { error: null, incomplete_details: null, completed_at: null, usage: null };
  return { ...head, status: 'in_progress', ...nothing, output: [] };
}

/** How many tokens were read and made. */
function toUsage(usage: Usage, reasoningTokens: number): object {
  const { promptTokens, cachedTokens, completionTokens } = usage;
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens, cache_write_tokens: 0 },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  };
}

/** Whether an answer was cut off, by `max_output_tokens` or because the context is full. */
export function wasCut({ finishReason }: ChatResult): boolean {
  return finishReason === 'length';
}

/** A response that is made, whole or cut off. */
export function finished(
  head: ResponseHead,
  result: ChatResult,
  output: readonly Item[],
  reasoningTokens: number,
): object {
  const isCut = wasCut(result);
  return {
    ...head,
    status: isCut ? 'incomplete' : 'completed',
    error: null,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    completed_at: isCut ? null : nowSeconds(),
    output,
    usage: toUsage(result.usage, reasoningTokens),
  };
}

/** A response that failed in the middle. */
export function failed(
  head: ResponseHead,
  error: { readonly code: string; readonly message: string },
  output: readonly Item[],
): object {
  return {
    ...head,
    status: 'failed',
    error,
    incomplete_details: null,
    completed_at: null,
    output,
    usage: null,
  };
}

/** State of an item. */
export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** What the model thought. */
export function reasoningItem(id: string, status: ItemStatus, text: string | undefined): Item {
  const content = text === undefined ? [] : [{ type: 'reasoning_text', text }];
  return { id, type: 'reasoning', status, summary: [], content };
}

/** A part of a message that is text. */
export function textPart(text: string): Item {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

/** What the model says. */
export function messageItem(id: string, status: ItemStatus, text: string | undefined): Item {
  return {
    id,
    type: 'message',
    role: 'assistant',
    status,
    content: text === undefined ? [] : [textPart(text)],
  };
}

/** A call that the model asks for. */
export function callItem(
  id: string,
  status: ItemStatus,
  call: { readonly callId: string; readonly name: string; readonly argumentsText: string },
): Item {
  const { callId, name, argumentsText } = call;
  return { id, type: 'function_call', status, call_id: callId, name, arguments: argumentsText };
}

/** The items of an answer, in the order in which it was made. */
export function toOutput(result: ChatResult): Item[] {
  const { reasoning, text, toolCalls } = result;
  const isCut = wasCut(result);
  const isLast = (follows: boolean): ItemStatus => (isCut && !follows ? 'incomplete' : 'completed');
  return [
    ...(reasoning === '' ? [] : [reasoningItem(newItemId('rs'), isLast(text !== ''), reasoning)]),
    ...(text === '' ? [] : [messageItem(newItemId('msg'), isLast(false), text)]),
    ...toolCalls.map(({ id: callId, name, arguments: value }) =>
      callItem(newItemId('fc'), 'completed', {
        callId,
        name,
        argumentsText: typeof value === 'string' ? value : JSON.stringify(value),
      }),
    ),
  ];
}
