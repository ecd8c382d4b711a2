import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import type { GenerateOptions, Generation, GenerationResult } from '../../index.js';
import type { ServerContext } from '../context.js';
import { answerWithEvents } from '../http/late-stream.js';
import type { WorkPlace } from '../workload/work.js';
import {
  type DescribedToken,
  describeTokens,
  endToken,
  type TextGenerationResponse,
  toFinishReason,
} from './answer.js';
import { toTextGenerationError } from './errors.js';
import { type TextGenerationRequest, toGenerateOptions } from './request.js';

/** A generation that was asked for. */
export interface TextGenerationJob {
  readonly context: ServerContext;
  readonly request: FastifyRequest;
  readonly body: TextGenerationRequest;
}

interface Started {
  readonly generation: Generation;
  readonly options: GenerateOptions;
  /** What goes before the text of the answer. */
  readonly before: string;
}

async function start(
  { model, signal }: WorkPlace,
  body: TextGenerationRequest,
  logprobs: boolean,
): Promise<Started> {
  const { inputs } = body;
  const parameters = body.parameters ?? {};
  const { truncate, top_n_tokens: top, return_full_text: isFull } = parameters;
  const options: GenerateOptions = {
    ...toGenerateOptions(parameters, model.contextSize),
    ...(logprobs && { logprobs: top ?? true }),
    signal,
  };
  const tokens = await model.tokenize(inputs, { addSpecial: true, parseSpecial: true });
  const kept = typeof truncate === 'number' ? tokens.slice(-truncate) : tokens;
  return { generation: model.generate(kept, options), options, before: isFull === true ? inputs : '' };
}

function run<Result>(
  { context, request, body }: TextGenerationJob,
  task: (place: WorkPlace) => Promise<Result>,
) {
  const { scope, client } = request;
  return context.work.run({ scope, client, kind: 'completion', model: body.model ?? undefined }, task);
}

/** Answers with the whole text. */
export async function generate(job: TextGenerationJob): Promise<Static<typeof TextGenerationResponse>> {
  const { details, top_n_tokens: top } = job.body.parameters ?? {};
  return run(job, async (place) => {
    const { generation, options, before } = await start(place, job.body, details === true);
    const tokens: DescribedToken[] = [];
    if (details === true) for await (const chunk of generation) tokens.push(...describeTokens(chunk));
    const result = await generation.result;
    place.record(result);
    return {
      generated_text: before + result.text,
      ...(details === true && {
        details: {
          finish_reason: toFinishReason(result),
          generated_tokens: result.usage.completionTokens,
          seed: options.seed ?? null,
          prefill: [],
          tokens: tokens.map(({ token }) => token),
          ...(typeof top === 'number' && top > 0 && { top_tokens: tokens.map((token) => [...token.top]) }),
        },
      }),
    };
  });
}

/** The data of the events of a stream. */
class EventData {
  #index = 0;
  readonly #withTop: boolean;

  constructor(withTop: boolean) {
    this.#withTop = withTop;
  }

  token({ token, top }: DescribedToken, end: object = { generated_text: null, details: null }): string {
    this.#index += 1;
    return JSON.stringify({ index: this.#index, token, ...(this.#withTop && { top_tokens: top }), ...end });
  }
}

function toEnd(result: GenerationResult, { options, before }: Started): object {
  return {
    generated_text: before + result.text,
    details: {
      finish_reason: toFinishReason(result),
      generated_tokens: result.usage.completionTokens,
      input_length: result.usage.promptTokens,
      seed: options.seed ?? null,
    },
  };
}

/**
 * Answers with an event for each token. The last token that may be generated waits for the end, which its event tells; an
 * answer that ends before has one event more, of the token that ends it.
 */
export async function generateStream(
  job: TextGenerationJob & { readonly reply: FastifyReply },
): Promise<void> {
  const { context, request, reply, body } = job;
  const { slowReaderTimeoutMs } = context.settings;
  const failureData = toTextGenerationError;
  await run(job, async (place) => {
    const started = await start(place, body, true);
    const { maxTokens = Number.POSITIVE_INFINITY } = started.options;
    const data = new EventData((body.parameters?.top_n_tokens ?? 0) > 0);
    await answerWithEvents(request, reply, { slowReaderTimeoutMs, failureData }, async (stream) => {
      let count = 0;
      let last: DescribedToken | undefined;
      for await (const chunk of started.generation) {
        for (const described of describeTokens(chunk)) {
          count += 1;
          if (count >= maxTokens) last = described;
          else await stream.send(data.token(described));
        }
      }
      const result = await started.generation.result;
      place.record(result);
      last ??= { token: endToken(place.model), top: [] };
      await stream.send(data.token(last, toEnd(result, started)));
    });
  });
}
