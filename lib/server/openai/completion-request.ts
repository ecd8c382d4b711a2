import Type, { type Static } from 'typebox';
import type { GenerateManyOptions } from '../../index.js';
import { readStreamOptions } from './chat-request.js';
import { isObject, unexpected } from './checks.js';
import { optionalBoolean, optionalInteger, optionalObject, optionalText } from './fields.js';
import { readSchemaFormat } from './response-format.js';
import { samplingProperties, toSamplingOptions } from './sampling.js';

/** Most answers to one request, those to all of its prompts together. */
const mostAnswers = 256;
/** As in OpenAI's API. */
const defaultMaxTokens = 16;

/** The body of a completion. Fields that are not here have no effect. */
export const CompletionRequest = Type.Object({
  prompt: Type.Unsafe<string | readonly unknown[]>({
    type: ['string', 'array'],
    description: 'A text, an array of token ids, or an array of several of them.',
    items: {},
  }),
  model: optionalText('Name of the model. Default: the default model.'),
  stream: optionalBoolean('Answer with server-sent events. Default false.'),
  stream_options: optionalObject('`include_usage`: one more event tells the tokens. Only with `stream`.'),
  max_tokens: optionalInteger(`Most tokens of an answer. Default ${defaultMaxTokens}.`, {
    minimum: 1,
    maximum: 0x7fff_ffff,
  }),
  n: optionalInteger('How many answers to each prompt. Default 1.', { minimum: 1, maximum: mostAnswers }),
  best_of: optionalInteger('Make that many answers and return the `n` most probable. Default `n`.', {
    minimum: 1,
    maximum: mostAnswers,
  }),
  echo: optionalBoolean('Begin the answer with the prompt. Default false.'),
  logprobs: optionalInteger('Tell the log-probability of each token, and of that many in its place.', {
    minimum: 0,
    maximum: 20,
  }),
  suffix: optionalText('Not supported.'),
  ...samplingProperties,
  grammar: optionalText('A grammar in GBNF that the answer follows.'),
  json_schema: optionalObject('A JSON schema that the answer fits.'),
  ignore_eos: optionalBoolean("Go on after the model's end. Default false."),
  add_special_tokens: optionalBoolean(
    'Put the begin-of-sequence token before a text, if the model wants one. Default true.',
  ),
  parse_special_tokens: optionalBoolean(
    'Read control tokens such as `<|im_start|>` in a text as such. Default true.',
  ),
});

export type CompletionBody = Static<typeof CompletionRequest>;

/** A prompt: text, or token ids. */
export type Prompt = string | readonly number[];

/** A completion as it was asked for. */
export interface CompletionPlan {
  readonly prompts: readonly Prompt[];
  readonly options: GenerateManyOptions;
  /** Answers to each prompt that are returned; `options.n` are made. */
  readonly count: number;
  readonly echoes: boolean;
  readonly withLogprobs: boolean;
  readonly isStream: boolean;
  readonly includesUsage: boolean;
}

/** Token ids; whether the model knows them is told when it reads them. */
export function readTokens(value: readonly unknown[], param: string): readonly number[] {
  const wrong = value.findIndex((token) => !Number.isInteger(token) || Number(token) < 0);
  if (wrong !== -1)
    throw unexpected(`${param}[${wrong}]`, 'a token id (a whole number from 0)', value[wrong]);
  return value as readonly number[];
}

function readPrompt(value: unknown, param: string): Prompt {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return readTokens(value, param);
  throw unexpected(param, 'a text or an array of token ids', value);
}

/**
 * One prompt or several: a text, token ids, or an array of these.
 * @throws RequestError 400 naming the field.
 */
export function readPrompts(value: string | readonly unknown[], param: string): readonly Prompt[] {
  if (typeof value === 'string') return [value];
  if (value.length === 0) throw unexpected(param, 'at least one text or token id', value);
  if (typeof value[0] === 'number') return [readTokens(value, param)];
  return value.map((item, index) => readPrompt(item, `${param}[${index}]`));
}

function checkCombination(body: CompletionBody, prompts: number): void {
  const { n, best_of: bestOf, logprobs, suffix } = body;
  if (typeof suffix === 'string' && suffix !== '') {
    throw unexpected(
      'suffix',
      "nothing; write the model's own fill-in-the-middle tokens into the prompt",
      suffix,
    );
  }
  if (body.echo === true && typeof logprobs === 'number') {
    throw unexpected('logprobs', 'no echo beside it, since those of a prompt are not computed', logprobs);
  }
  if (typeof bestOf === 'number' && bestOf < (n ?? 1)) throw unexpected('best_of', 'at least n', bestOf);
  if (typeof bestOf === 'number' && bestOf > (n ?? 1) && body.stream === true) {
    throw unexpected('best_of', 'at most n together with stream', bestOf);
  }
  const answers = prompts * (bestOf ?? n ?? 1);
  if (answers > mostAnswers) {
    throw unexpected('prompt', `prompts that make at most ${mostAnswers} answers in all`, answers);
  }
}

function toConstraint({ grammar, json_schema: schema }: CompletionBody) {
  if (isObject(schema)) {
    if (typeof grammar === 'string') throw unexpected('grammar', 'no json_schema beside it', grammar);
    return { jsonSchema: readSchemaFormat({ schema }, 'json_schema').schema };
  }
  return typeof grammar === 'string' ? { grammar } : {};
}

/**
 * What a checked body asks for.
 * @throws RequestError 400 naming the field.
 */
export function planCompletion(body: CompletionBody): CompletionPlan {
  const prompts = readPrompts(body.prompt, 'prompt');
  checkCombination(body, prompts.length);
  const count = body.n ?? 1;
  const made = body.best_of ?? count;
  const withLogprobs = typeof body.logprobs === 'number';
  const logprobs = withLogprobs ? (body.logprobs ?? 0) : made > count;
  return {
    prompts,
    options: {
      n: made,
      maxTokens: body.max_tokens ?? defaultMaxTokens,
      addSpecial: body.add_special_tokens ?? true,
      // Whoever writes a whole prompt writes its control tokens, too.
      parseSpecial: body.parse_special_tokens ?? true,
      ...toSamplingOptions(body),
      ...(logprobs !== false && { logprobs }),
      ...(body.ignore_eos === true && { ignoreEndOfSequence: true }),
      ...toConstraint(body),
    },
    count,
    echoes: body.echo === true,
    withLogprobs,
    isStream: body.stream === true,
    includesUsage: readStreamOptions(body),
  };
}
