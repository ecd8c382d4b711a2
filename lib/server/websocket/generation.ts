import type { ChatAnswer, Usage } from '../../index.js';
import type { ServerContext } from '../context.js';
import type { Client } from '../http/fastify-types.js';
import { toChatCall } from '../requests/chat-request.js';
import { withoutNothing } from '../requests/nullable.js';
import { toSamplingOptions } from '../requests/sampling.js';
import type { RequestScope } from '../work/request-scope.js';
import type { WorkPlace } from '../work/work.js';
import type { ChatMessage, CompletionMessage, StartMessage } from './messages.js';

/** Sends a message, made of JSON already; waits where the client has to be waited for. */
export type Send = (json: string) => Promise<void> | undefined;

interface Outcome {
  readonly finishReason: string;
  readonly stopString?: string;
  readonly usage: Usage;
}

/** Usage in the shape of OpenAI's API. */
function toUsage({ promptTokens, completionTokens, cachedTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** The message that ends a generation. */
export function toDone(id: string, { finishReason, stopString, usage }: Partial<Outcome>): string {
  return JSON.stringify({
    type: 'done',
    id,
    finish_reason: finishReason === 'tool-calls' ? 'tool_calls' : finishReason,
    ...(stopString !== undefined && { stop_string: stopString }),
    usage: usage === undefined ? null : toUsage(usage),
  });
}

/** Sends pieces of text. What is the same in all of them is written once. */
function deltaSender(id: string, kind: 'text' | 'reasoning', send: Send) {
  const head = `{"type":"delta","id":${JSON.stringify(id)},"${kind}":`;
  return (text: string) => send(`${head}${JSON.stringify(text)}}`);
}

async function sendChat(answer: ChatAnswer, id: string, send: Send): Promise<void> {
  const sendText = deltaSender(id, 'text', send);
  const sendReasoning = deltaSender(id, 'reasoning', send);
  for await (const part of answer) {
    let wait: Promise<void> | undefined;
    if (part.type === 'text') wait = sendText(part.text);
    else if (part.type === 'reasoning') wait = sendReasoning(part.text);
    else if (part.type === 'tool-call' && part.complete) {
      const call = { id: part.id, name: part.name, arguments: part.argumentsText };
      wait = send(JSON.stringify({ type: 'tool_call', id, tool_call: call }));
    }
    if (wait !== undefined) await wait;
  }
}

async function chat(message: ChatMessage, place: WorkPlace, send: Send): Promise<Outcome> {
  const { messages, options } = toChatCall(message);
  const answer = place.model.chat(messages, { ...options, signal: place.signal });
  await sendChat(answer, message.id, send);
  const result = await answer.result;
  place.record(result);
  return result;
}

async function complete(message: CompletionMessage, place: WorkPlace, send: Send): Promise<Outcome> {
  const { prompt, grammar, json_schema: jsonSchema } = message;
  const generation = place.model.generate(prompt, {
    ...toSamplingOptions(message),
    ...withoutNothing({ grammar, jsonSchema }),
    signal: place.signal,
  });
  const sendText = deltaSender(message.id, 'text', send);
  for await (const { text } of generation) {
    const wait = sendText(text);
    if (wait !== undefined) await wait;
  }
  const result = await generation.result;
  place.record(result);
  return result;
}

/** A generation that was asked for. */
export interface GenerationRequest {
  readonly context: ServerContext;
  readonly client: Client;
  readonly scope: RequestScope;
  readonly message: StartMessage;
  readonly send: Send;
}

/**
 * Generates, and sends what comes of it until the end.
 * @throws what refuses the work or ends it.
 */
export async function generate({ context, client, scope, message, send }: GenerationRequest): Promise<void> {
  const kind = message.type;
  await context.work.run({ scope, client, kind, model: message.model ?? undefined }, async (place) => {
    const { id } = message;
    await send(JSON.stringify({ type: 'started', id, model: place.name, request_id: scope.id }));
    const outcome = await (message.type === 'chat'
      ? chat(message, place, send)
      : complete(message, place, send));
    await send(toDone(id, outcome));
  });
}
