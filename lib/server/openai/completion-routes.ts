import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Generation, GenerationResult } from '../../index.js';
import type { ServerContext } from '../context.js';
import { LateStream } from '../http/late-stream.js';
import type { WorkPlace } from '../workload/work.js';
import { toFinishReason } from './chat-chunks.js';
import { bestAnswers, startCompletions, usageOfAll } from './completion-answers.js';
import {
  type CompletionBody,
  type CompletionPlan,
  CompletionRequest,
  planCompletion,
} from './completion-request.js';
import { nameCause, toOpenaiError } from './errors.js';
import { fingerprintOf, newId, nowSeconds } from './identity.js';
import { toCompletionLogprobs } from './logprobs.js';
import { allTogether } from './together.js';
import { toTimings } from './usage.js';

function headOf(place: WorkPlace) {
  return {
    id: newId('cmpl'),
    object: 'text_completion',
    created: nowSeconds(),
    model: place.name,
    system_fingerprint: fingerprintOf(place.model),
  };
}

/** Starts the answers to all prompts; `end` ends all of them. */
async function beginAnswers(plan: CompletionPlan, place: WorkPlace) {
  const controller = new AbortController();
  const signal = AbortSignal.any([place.signal, controller.signal]);
  return {
    answers: await startCompletions(place.model, plan, signal),
    end: () => controller.abort(),
  };
}

/** The results of each prompt, from those of all. */
function byPrompt(results: readonly GenerationResult[], perPrompt: number): GenerationResult[][] {
  return Array.from({ length: results.length / perPrompt }, (_, index) =>
    results.slice(index * perPrompt, (index + 1) * perPrompt),
  );
}

async function answerWhole(plan: CompletionPlan, place: WorkPlace): Promise<object> {
  const { answers, end } = await beginAnswers(plan, place);
  const all = await allTogether(
    answers.flatMap(({ generations }) => generations.map(({ result }) => result)),
    end,
  );
  for (const result of all) place.record(result);
  const results = byPrompt(all, plan.options.n);
  const choices = results.flatMap((ofPrompt, position) =>
    bestAnswers(ofPrompt, plan.count).map((result) => ({ result, echo: answers[position]?.echo ?? '' })),
  );
  const [first] = all;
  return {
    ...headOf(place),
    choices: choices.map(({ result, echo }, index) => ({
      text: echo + result.text,
      index,
      logprobs: plan.withLogprobs ? toCompletionLogprobs(result.logprobs, echo.length) : null,
      finish_reason: toFinishReason(result.finishReason),
    })),
    usage: usageOfAll(results),
    ...(first !== undefined && { timings: toTimings(first) }),
  };
}

/** What all events of a stream have in common. */
interface EventParts {
  /** Up to the choices. */
  readonly head: string;
  /** What follows the choices. */
  readonly tail: string;
}

async function sendAnswer(
  stream: LateStream,
  { head, tail }: EventParts,
  answer: { readonly generation: Generation; readonly index: number; readonly echo: string },
): Promise<GenerationResult> {
  const { generation, index, echo } = answer;
  const textHead = `${head}{"index":${index},"text":`;
  const event = (text: string, logprobs: object | null, reason: string | null) =>
    `${textHead}${JSON.stringify(text)},"logprobs":${logprobs === null ? 'null' : JSON.stringify(logprobs)},"finish_reason":${JSON.stringify(reason)}}]${tail}`;
  let length = echo.length;
  let begin = echo === '' ? '' : event(echo, null, null);
  for await (const { text, logprobs } of generation) {
    if (text === '' && logprobs === undefined) continue;
    const wait = stream.write(
      begin + event(text, logprobs === undefined ? null : toCompletionLogprobs(logprobs, length), null),
    );
    begin = '';
    length += text.length;
    if (wait !== undefined) await wait;
  }
  const result = await generation.result;
  await stream.write(begin + event('', null, toFinishReason(result.finishReason)));
  return result;
}

async function answerStream(plan: CompletionPlan, place: WorkPlace, stream: LateStream): Promise<void> {
  const { answers, end } = await beginAnswers(plan, place);
  const start = `data: ${JSON.stringify(headOf(place)).slice(0, -1)},"choices":[`;
  const parts = { head: start, tail: plan.includesUsage ? ',"usage":null}\n\n' : '}\n\n' };
  const results = await allTogether(
    answers.flatMap(({ generations, echo }, position) =>
      generations.map((generation, offset) =>
        sendAnswer(stream, parts, { generation, index: position * plan.count + offset, echo }),
      ),
    ),
    end,
  );
  for (const result of results) place.record(result);
  const last = plan.includesUsage ? usageEvent(start, byPrompt(results, plan.options.n)) : '';
  await stream.write(`${last}data: [DONE]\n\n`);
}

/** The event without choices that tells how many tokens it were. */
function usageEvent(start: string, results: readonly (readonly GenerationResult[])[]): string {
  const first = results[0]?.[0];
  const timings = first === undefined ? '' : `,"timings":${JSON.stringify(toTimings(first))}`;
  return `${start}],"usage":${JSON.stringify(usageOfAll(results))}${timings}}\n\n`;
}

function nameCompletionCause(error: unknown, { prompt, json_schema: schema }: CompletionBody): unknown {
  const hasTokens = Array.isArray(prompt) && prompt.some((item) => typeof item !== 'string');
  return nameCause(error, {
    input: 'prompt',
    format: schema ? 'json_schema' : 'grammar',
    maxTokens: 'max_tokens',
    tokens: hasTokens ? 'prompt' : 'logit_bias',
  });
}

/** `POST /v1/completions`. */
export function completionRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  const complete = async (request: FastifyRequest, body: CompletionBody, reply: FastifyReply) => {
    const plan = planCompletion(body);
    const { scope, client } = request;
    const work = { scope, client, kind: 'completion', model: body.model ?? undefined } as const;
    if (!plan.isStream) return context.work.run(work, (place) => answerWhole(plan, place));
    const { slowReaderTimeoutMs } = context.settings;
    const stream = new LateStream(request, reply, { slowReaderTimeoutMs, failureData: toOpenaiError });
    try {
      await context.work.run(work, (place) => answerStream(plan, place, stream));
      stream.end();
    } catch (error) {
      stream.fail(nameCompletionCause(error, body));
    }
    return undefined;
  };

  return async (app) => {
    app.post(
      '/v1/completions',
      { schema: { tags: ['OpenAI'], summary: 'Continue prompts', body: CompletionRequest } },
      async (request, reply) => {
        try {
          return await complete(request, request.body, reply);
        } catch (error) {
          throw nameCompletionCause(error, request.body);
        }
      },
    );
  };
}
