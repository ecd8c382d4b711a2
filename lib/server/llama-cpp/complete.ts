import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GenerateOptions, Generation, GenerationChunk, Model } from '../../index.js';
import type { ServerContext } from '../context.js';
import { invalidField } from '../failures.js';
import { answerWithEvents } from '../http/late-stream.js';
import type { WorkPlace } from '../workload/work.js';
import { pickFields, toCompletion, toProbabilities } from './completion-answer.js';
import type { CompletionSettings } from './completion-request.js';
import { toGenerateOptions } from './completion-request.js';
import { toLlamaCppError } from './errors.js';
import type { ReadPrompts } from './prompts.js';

/** Generations that one request may ask for. */
const mostGenerations = 256;

/** A completion that was asked for. */
export interface CompletionJob {
  readonly context: ServerContext;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly settings: CompletionSettings;
  /** Makes the prompts, when the model is there. */
  readonly readPrompts: (place: WorkPlace) => Promise<ReadPrompts>;
}

interface Running {
  readonly index: number;
  readonly prompt: Int32Array;
  readonly generation: Generation;
}

/** Waits for all tasks. When one fails the others are stopped, and have stopped before it is told. */
async function together<Result>(tasks: readonly Promise<Result>[], stop: () => void): Promise<Result[]> {
  try {
    return await Promise.all(tasks);
  } catch (error) {
    stop();
    await Promise.allSettled(tasks);
    throw error;
  }
}

function start(
  model: Model,
  signal: AbortSignal,
  prompts: readonly Int32Array[],
  settings: CompletionSettings,
  options: GenerateOptions,
): Running[] {
  const n = settings.n_cmpl ?? 1;
  if (n * prompts.length > mostGenerations) {
    const message = `Expected at most ${mostGenerations} answers to all prompts together; these are ${n * prompts.length}.`;
    throw invalidField('n_cmpl', message);
  }
  return prompts.flatMap((prompt, position) =>
    model
      .generateMany(prompt, { ...options, n, signal })
      .map((generation, answer) => ({ index: position * n + answer, prompt, generation })),
  );
}

async function toChunkEvent(
  { model }: WorkPlace,
  index: number,
  { text, tokens, logprobs }: GenerationChunk,
): Promise<string> {
  const probabilities = logprobs && (await toProbabilities(model, logprobs));
  return JSON.stringify({
    index,
    content: text,
    tokens,
    stop: false,
    id_slot: -1,
    ...(probabilities && { completion_probabilities: probabilities }),
  });
}

/** Answers a completion, whole or as events. */
export async function complete(job: CompletionJob): Promise<object | undefined> {
  const { context, request, reply, settings } = job;
  const { scope, client } = request;
  const model = settings.model ?? undefined;
  return context.work.run({ scope, client, kind: 'completion', model }, async (place) => {
    const prompts = await job.readPrompts(place);
    const options = await toGenerateOptions(place.model, settings);
    const finish = async ({ index, prompt, generation }: Running) => {
      const result = await generation.result;
      place.record(result);
      const { model: used, name } = place;
      return toCompletion({ model: used, name, request: settings, index, prompt, result });
    };
    const stopper = new AbortController();
    const stop = () => stopper.abort();
    const signal = AbortSignal.any([place.signal, stopper.signal]);
    const running = start(place.model, signal, prompts.tokens, settings, options);
    if (settings.stream !== true) {
      const answers = await together(running.map(finish), stop);
      const picked = answers.map((answer) => pickFields(answer, settings.response_fields));
      return prompts.areSeveral || picked.length > 1 ? picked : picked[0];
    }
    const { slowReaderTimeoutMs } = context.settings;
    await answerWithEvents(
      request,
      reply,
      { slowReaderTimeoutMs, failureData: toLlamaCppError },
      async (stream) => {
        const send = async (one: Running) => {
          if (settings.n_predict !== 0) {
            for await (const chunk of one.generation) {
              await stream.send(await toChunkEvent(place, one.index, chunk));
            }
          }
          await stream.send(JSON.stringify(pickFields(await finish(one), settings.response_fields)));
        };
        await together(running.map(send), stop);
      },
    );
    return undefined;
  });
}
