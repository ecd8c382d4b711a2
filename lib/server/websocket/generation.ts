import type { ChatAnswer, Usage } from '../../index.js';
import type { ServerContext } from '../context.js';
import type { Client } from '../http/fastify-types.js';
import { planChat } from '../openai/chat-request.js';
import { unexpected } from '../openai/checks.js';
import { type CauseNames, nameCause } from '../openai/errors.js';
import { toSamplingOptions } from '../openai/sampling.js';
import { startChat } from '../openai/start-chat.js';
import { toUsage } from '../openai/usage.js';
import { withoutNothing } from '../requests/nullable.js';
import type { RequestScope } from '../workload/request-scope.js';
import type { WorkPlace } from '../workload/work.js';
import type { ChatMessage, CompletionMessage, StartMessage } from './messages.js';

/** Sends a message, made of JSON already; waits where the client has to be waited for. */
export type Send = (json: string) => Promise<void> | undefined;

interface Outcome {
  readonly finishReason: string;
  readonly stopString?: string;
  readonly usage: Usage;
}

/** The message that ends a generation. */
export function toDone(id: string, { finishReason, stopString, usage }: Partial<Outcome>): string {
  return JSON.stringify({
    type: 'done',
    id,
    finish_reason: finishReason === 'tool-calls' ? 'tool_calls' : finishReason,
    ...(stopString !== undefined && { stop_string: stopString }),
    usage: usage === undefined ? null : toUsage([usage]),
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

/** Answers are one by one here: each generation has an id, and whoever wants several starts several. */
function checkCount(count: number): void {
  if (count > 1) throw unexpected('n', '1 (start several generations)', count);
}

async function chat(message: ChatMessage, place: WorkPlace, send: Send): Promise<Outcome> {
  const { call, count, seed } = planChat(withoutStream(message));
  checkCount(count);
  const request = { ...call, options: { ...call.options, signal: place.signal } };
  const { answers, warnings } = startChat(place.model, request, [seed]);
  const [answer] = answers as [ChatAnswer];
  for (const warning of warnings)
    await send(JSON.stringify({ type: 'warning', id: message.id, message: warning }));
  await sendChat(answer, message.id, send);
  const result = await answer.result;
  place.record(result);
  return result;
}

/** Everything is streamed here, and usage comes with every end; what clients say of it has no meaning. */
function withoutStream({ stream, stream_options, ...message }: ChatMessage): ChatMessage {
  return message;
}

async function complete(message: CompletionMessage, place: WorkPlace, send: Send): Promise<Outcome> {
  const { prompt, grammar, json_schema: jsonSchema } = message;
  const generation = place.model.generate(prompt, {
    ...toSamplingOptions(message),
    ...withoutNothing({ maxTokens: message.max_tokens, grammar, jsonSchema }),
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
  const { id, type: kind } = message;
  const model = message.model ?? undefined;
  try {
    await context.work.run({ scope, client, kind, model }, async (place) => {
      await send(JSON.stringify({ type: 'started', id, model: place.name, request_id: scope.id }));
      const outcome = await (message.type === 'chat'
        ? chat(message, place, send)
        : complete(message, place, send));
      await send(toDone(id, outcome));
    });
  } catch (error) {
    throw nameCause(error, causeNames(message));
  }
}

function causeNames({ type, json_schema: schema }: StartMessage): CauseNames {
  return {
    input: type === 'chat' ? 'messages' : 'prompt',
    format: type === 'chat' && !schema ? 'response_format' : 'json_schema',
    maxTokens: 'max_tokens',
    tokens: 'logit_bias',
  };
}
