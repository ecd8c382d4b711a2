import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ChatAnswer, ChatResult } from '../../index.js';
import type { ServerContext } from '../context.js';
import { LateStream } from '../http/late-stream.js';
import type { WorkPlace } from '../workload/work.js';
import { ChoiceChunks, type ChunkHead, eventHead, toFinishReason } from './chat-chunks.js';
import { type ChatBody, ChatRequest, type ChatRequestPlan, planChat } from './chat-request.js';
import { type CauseNames, nameCause, toOpenaiError } from './errors.js';
import { fingerprintOf, newId, nowSeconds } from './identity.js';
import { toChatLogprobs } from './logprobs.js';
import { seedsFor, startChat } from './start-chat.js';
import { allTogether } from './together.js';
import { reasoningTokensOf, toTimings, toUsage } from './usage.js';
import { warn } from './warnings.js';

function causeNames(body: ChatBody): CauseNames {
  return {
    input: 'messages',
    format: body.json_schema ? 'json_schema' : 'response_format',
    maxTokens: typeof body.max_completion_tokens === 'number' ? 'max_completion_tokens' : 'max_tokens',
    tokens: 'logit_bias',
  };
}

/** Begins the answers; `end` ends all of them. */
function beginAnswers(plan: ChatRequestPlan, place: WorkPlace, reply: FastifyReply) {
  const together = new AbortController();
  const signal = plan.count === 1 ? place.signal : AbortSignal.any([place.signal, together.signal]);
  const { call, seed, count } = plan;
  const request = { ...call, options: { ...call.options, signal } };
  const { answers, warnings } = startChat(place.model, request, seedsFor(seed, count));
  warn(reply, warnings);
  return { answers, end: () => together.abort() };
}

function headOf(place: WorkPlace, includesUsage: boolean): ChunkHead {
  return {
    id: newId('chatcmpl'),
    created: nowSeconds(),
    model: place.name,
    fingerprint: fingerprintOf(place.model),
    includesUsage,
  };
}

function toMessage({ text, reasoning, toolCalls }: ChatResult): object {
  return {
    role: 'assistant',
    content: text === '' && toolCalls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map(({ id, name, arguments: value }) => ({
        id,
        type: 'function',
        function: { name, arguments: typeof value === 'string' ? value : JSON.stringify(value) },
      })),
    }),
  };
}

async function answerWhole(plan: ChatRequestPlan, place: WorkPlace, reply: FastifyReply): Promise<object> {
  const { answers, end } = beginAnswers(plan, place, reply);
  const { id, created, model, fingerprint } = headOf(place, false);
  const results = await allTogether(
    answers.map(({ result }) => result),
    end,
  );
  for (const result of results) place.record(result);
  const [first] = results;
  const usages = results.map(({ usage }) => usage);
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    system_fingerprint: fingerprint,
    choices: results.map((result, index) => ({
      index,
      message: toMessage(result),
      logprobs: toChatLogprobs(result.logprobs),
      finish_reason: toFinishReason(result.finishReason),
    })),
    usage: toUsage(usages, await reasoningTokensOf(place.model, results)),
    ...(first !== undefined && { timings: toTimings(first) }),
  };
}

/** Sends one answer of a stream. */
async function sendAnswer(
  stream: LateStream,
  chunks: ChoiceChunks,
  answer: ChatAnswer,
  isLast: boolean,
): Promise<ChatResult> {
  let head = chunks.begin();
  for await (const part of answer) {
    const event = chunks.add(part);
    if (event === '') continue;
    const wait = stream.write(head + event);
    head = '';
    if (wait !== undefined) await wait;
  }
  const result = await answer.result;
  await stream.write(head + chunks.end(result, isLast ? toTimings(result) : undefined));
  return result;
}

async function answerStream(
  plan: ChatRequestPlan,
  place: WorkPlace,
  stream: LateStream,
  reply: FastifyReply,
): Promise<void> {
  const { answers, end } = beginAnswers(plan, place, reply);
  const head = headOf(place, plan.includesUsage);
  const endsWithAnswer = plan.count === 1 && !plan.includesUsage;
  const results = await allTogether(
    answers.map((answer, index) => sendAnswer(stream, new ChoiceChunks(head, index), answer, endsWithAnswer)),
    end,
  );
  for (const result of results) place.record(result);
  await stream.write(`${plan.includesUsage ? await usageEvent(head, place, results) : ''}data: [DONE]\n\n`);
}

/** The event without choices that tells how many tokens it were. */
async function usageEvent(
  head: ChunkHead,
  place: WorkPlace,
  results: readonly ChatResult[],
): Promise<string> {
  const usage = toUsage(
    results.map((result) => result.usage),
    await reasoningTokensOf(place.model, results),
  );
  const [first] = results;
  const timings = first === undefined ? '' : `,"timings":${JSON.stringify(toTimings(first))}`;
  return `${eventHead(head)}],"usage":${JSON.stringify(usage)}${timings}}\n\n`;
}

/** `POST /v1/chat/completions`, or another path that clients know it by. */
export function chatRoutes(context: ServerContext, path = '/v1/chat/completions'): FastifyPluginAsyncTypebox {
  const complete = async (request: FastifyRequest, body: ChatBody, reply: FastifyReply) => {
    const plan = planChat(body);
    const { scope, client } = request;
    const work = { scope, client, kind: 'chat', model: body.model ?? undefined } as const;
    if (!plan.isStream) return context.work.run(work, (place) => answerWhole(plan, place, reply));
    const { slowReaderTimeoutMs } = context.settings;
    const stream = new LateStream(request, reply, { slowReaderTimeoutMs, failureData: toOpenaiError });
    try {
      await context.work.run(work, (place) => answerStream(plan, place, stream, reply));
      stream.end();
    } catch (error) {
      stream.fail(nameCause(error, causeNames(body)));
    }
    return undefined;
  };

  return async (app) => {
    app.post(
      path,
      { schema: { tags: ['OpenAI'], summary: 'Answer a conversation', body: ChatRequest } },
      async (request, reply) => {
        try {
          return await complete(request, request.body, reply);
        } catch (error) {
          throw nameCause(error, causeNames(request.body));
        }
      },
    );
  };
}
