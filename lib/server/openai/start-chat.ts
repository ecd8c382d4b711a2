import { instruct } from '../../ecosystem/instruct.js';
import { describeSchema, withWidenedSchema } from '../../ecosystem/widen-schema.js';
import type { ChatAnswer, ChatCallOptions, ChatMessage, JsonSchema, Model } from '../../index.js';
import type { AnswerFormat } from './response-format.js';

/** A chat as a request asks for it. */
export interface ChatCall {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatCallOptions;
  readonly format?: AnswerFormat | undefined;
}

/** Answers that have begun, and what of the request has no effect on them. */
export interface StartedChat {
  readonly answers: readonly ChatAnswer[];
  readonly warnings: readonly string[];
}

const formatBesideTools =
  'response_format is not enforced: a grammar cannot hold an answer to a schema and leave it free to call tools. The model was told the schema.';

interface FittedCall {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatCallOptions;
  /** What a grammar holds the answer to; undefined if it is free. */
  readonly schema: JsonSchema | undefined;
  readonly warnings: readonly string[];
}

/** Decides between a form and tools, of which an answer can have one. */
function fitFormat({ messages, options, format }: ChatCall): FittedCall {
  if (format === undefined) return { messages, options, schema: undefined, warnings: [] };
  const { tools, toolChoice = 'auto', parallelToolCalls, maxSteps, ...others } = options;
  // A forced call is the whole answer: there is no text that could have a form.
  if (tools !== undefined && toolChoice !== 'auto' && toolChoice !== 'none') {
    return { messages, options, schema: undefined, warnings: [] };
  }
  const asked = format.isDescribed
    ? instruct(messages, describeSchema(format.schema, format.description))
    : messages;
  if (tools !== undefined && toolChoice === 'auto') {
    return { messages: asked, options, schema: undefined, warnings: [formatBesideTools] };
  }
  return { messages: asked, options: others, schema: format.schema, warnings: [] };
}

/**
 * Starts answers to a chat, one for each seed; what they have in common is read once.
 * @throws what {@link Model.chat} throws at once; INVALID_SCHEMA for a strict schema that no grammar can express.
 */
export function startChat(model: Model, call: ChatCall, seeds: readonly (number | undefined)[]): StartedChat {
  const { messages, options, schema, warnings } = fitFormat(call);
  const start = (jsonSchema: JsonSchema | undefined): ChatAnswer[] =>
    seeds.map((seed) =>
      model.chat(messages, {
        ...options,
        ...(seed !== undefined && { seed }),
        ...(jsonSchema !== undefined && { jsonSchema }),
      }),
    );
  if (schema === undefined || call.format?.isStrict === true) return { answers: start(schema), warnings };
  const { result: answers, dropped } = withWidenedSchema(schema, start);
  const left = dropped.map(({ path, keyword }) => `${keyword} at ${path} of the schema is not enforced.`);
  return { answers, warnings: [...warnings, ...left] };
}

/**
 * Seeds of several answers to one request, all different, which come again with the same first one.
 * @param first the client's seed; undefined draws new ones.
 */
export function seedsFor(first: number | undefined, count: number): (number | undefined)[] {
  // An odd step visits every 32-bit number once. 0x9e3779b9 is 2^32 divided by the golden ratio.
  return Array.from({ length: count }, (_, index) =>
    first === undefined ? undefined : (first + Math.imul(index, 0x9e3779b9)) >>> 0,
  );
}
