import Type, { type Static } from 'typebox';
import type { ChatCallOptions } from '../../index.js';
import { isObject, unexpected } from './checks.js';
import {
  optionalArray,
  optionalBoolean,
  optionalInteger,
  optionalObject,
  optionalOneOf,
  optionalText,
} from './fields.js';
import { readMessages } from './messages.js';
import { toReasoningOptions } from './reasoning.js';
import { type AnswerFormat, readResponseFormat, readSchemaFormat } from './response-format.js';
import { samplingProperties, toSamplingOptions } from './sampling.js';
import type { ChatCall } from './start-chat.js';
import { readChatTools, readToolChoice, toToolOptions } from './tools.js';

/** Most answers to one request. */
export const mostAnswers = 128;

/** The body of a chat completion. Fields that are not here have no effect. */
export const ChatRequest = Type.Object({
  messages: Type.Unsafe<readonly unknown[]>({
    type: 'array',
    description:
      'What was said so far: objects with `role` (system, developer, user, assistant, tool) and `content`. A last message of the assistant is continued.',
    items: { type: 'object', additionalProperties: true },
  }),
  model: optionalText('Name of the model. Default: the default model.'),
  stream: optionalBoolean('Answer with server-sent events. Default false.'),
  stream_options: optionalObject('`include_usage`: one more event tells the tokens. Only with `stream`.'),
  max_completion_tokens: optionalInteger('Most tokens of the answer. Default: until the model ends it.', {
    minimum: 1,
    maximum: 0x7fff_ffff,
  }),
  max_tokens: optionalInteger('As `max_completion_tokens`, which goes before it.', {
    minimum: 1,
    maximum: 0x7fff_ffff,
  }),
  n: optionalInteger('How many answers. Default 1.', { minimum: 1, maximum: mostAnswers }),
  logprobs: optionalBoolean('Tell the log-probability of each token. Default false.'),
  top_logprobs: optionalInteger('And those of that many others in its place. Only with `logprobs`.', {
    minimum: 0,
    maximum: 20,
  }),
  tools: optionalArray('Functions that the model may call: `{ type: "function", function: { name, … } }`.'),
  tool_choice: optionalOneOf<string | object>(
    ['string', 'object'],
    '`auto` (the default with tools), `none`, `required`, or a function by name.',
  ),
  parallel_tool_calls: optionalBoolean('Let the model call several functions at once. Default true.'),
  response_format: optionalObject('`{ type }`: `text`, `json_object`, or `json_schema` with its schema.'),
  reasoning_effort: optionalText('`none`, `minimal`, `low`, `medium`, `high` or `xhigh`.'),
  modalities: optionalArray('Only `["text"]`.'),
  ...samplingProperties,
  grammar: optionalText('A grammar in GBNF that the answer follows.'),
  json_schema: optionalObject('A JSON schema that the answer fits; the model is not told of it.'),
  describe_schema: optionalBoolean('Tell the model the schema of `response_format`. Default true.'),
  chat_template_kwargs: optionalObject('Variables for the chat template, `enable_thinking` among them.'),
  enable_thinking: optionalBoolean('Let a model that can think do so. Default true.'),
  reasoning_budget: optionalInteger('Most tokens of thinking; -1 for no limit, the default.', {
    minimum: -1,
    maximum: 0x7fff_ffff,
  }),
  ignore_eos: optionalBoolean("Go on after the model's end. Default false."),
});

export type ChatBody = Static<typeof ChatRequest>;

/** A chat completion as it was asked for. */
export interface ChatRequestPlan {
  readonly call: ChatCall;
  readonly count: number;
  readonly seed: number | undefined;
  readonly isStream: boolean;
  readonly includesUsage: boolean;
}

/** Fields of OpenAI's that change what a client gets, and that nothing here can do. */
const refused: Readonly<Record<string, string>> = {
  functions: 'tools in its place',
  function_call: 'tool_choice in its place',
  audio: 'nothing, since answers are text',
  web_search_options: 'nothing, since the server searches nowhere. Offer a function that searches',
};

function refuseUnknown(body: ChatBody): void {
  for (const [name, expected] of Object.entries(refused)) {
    const value = (body as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined && value !== null) throw unexpected(name, expected, value);
  }
  const other = body.modalities?.find((modality) => modality !== 'text');
  if (other !== undefined) throw unexpected('modalities', 'only "text"', other);
}

function toLogprobs({ logprobs, top_logprobs: top }: ChatBody): boolean | number | undefined {
  if (logprobs === true) return top ?? true;
  if (top !== undefined && top !== null && top > 0) {
    throw unexpected('top_logprobs', 'logprobs: true beside it', top);
  }
  return undefined;
}

function toFormat(body: ChatBody): AnswerFormat | undefined {
  const format = readResponseFormat(body.response_format);
  const { json_schema: schema } = body;
  if (schema === undefined || schema === null) {
    return format && body.describe_schema === false ? { ...format, isDescribed: false } : format;
  }
  if (format !== undefined) throw unexpected('json_schema', 'no response_format beside it', schema);
  return { ...readSchemaFormat({ schema, strict: true }, 'json_schema'), isDescribed: false };
}

/** Whether a stream is to end with its usage. */
export function readStreamOptions(body: {
  readonly stream?: boolean | null;
  readonly stream_options?: Readonly<Record<string, unknown>> | null;
}): boolean {
  const { stream_options: options } = body;
  if (!isObject(options)) return false;
  if (body.stream !== true) throw unexpected('stream_options', 'stream: true beside it', options);
  const { include_usage: includesUsage = null } = options;
  if (includesUsage !== null && typeof includesUsage !== 'boolean') {
    throw unexpected('stream_options.include_usage', 'true or false', includesUsage);
  }
  return includesUsage === true;
}

/**
 * What a checked body asks for.
 * @throws RequestError 400 naming the field.
 */
export function planChat(body: ChatBody): ChatRequestPlan {
  refuseUnknown(body);
  const { seed, ...sampling } = toSamplingOptions(body);
  const functions = readChatTools(body.tools);
  const logprobs = toLogprobs(body);
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  const format = toFormat(body);
  if (format !== undefined && typeof body.grammar === 'string') {
    throw unexpected('grammar', 'no response_format and no json_schema beside it', body.grammar);
  }
  const options: ChatCallOptions = {
    ...sampling,
    ...(typeof maxTokens === 'number' && { maxTokens }),
    ...(logprobs !== undefined && { logprobs }),
    ...(typeof body.grammar === 'string' && { grammar: body.grammar }),
    ...(body.ignore_eos === true && { ignoreEndOfSequence: true }),
    ...toReasoningOptions({
      effort: body.reasoning_effort,
      templateVariables: body.chat_template_kwargs,
      enableThinking: body.enable_thinking,
      budget: body.reasoning_budget,
    }),
    ...toToolOptions(functions, readToolChoice(body.tool_choice), body.parallel_tool_calls),
  };
  return {
    call: { messages: readMessages(body.messages), options, format },
    count: body.n ?? 1,
    seed,
    isStream: body.stream === true,
    includesUsage: readStreamOptions(body),
  };
}
