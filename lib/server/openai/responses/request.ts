import Type, { type Static } from 'typebox';
import type { ToolChoice } from '../../../index.js';
import { RequestError } from '../../failures.js';
import { type JsonObject, readArray, readObject, readOptionalText, readText, unexpected } from '../checks.js';
import {
  optionalArray,
  optionalBoolean,
  optionalInteger,
  optionalObject,
  optionalOneOf,
  optionalText,
} from '../fields.js';
import { toReasoningOptions } from '../reasoning.js';
import { type AnswerFormat, readResponseFormat, readSchemaFormat } from '../response-format.js';
import { samplingProperties, toSamplingOptions } from '../sampling.js';
import type { ChatCall } from '../start-chat.js';
import {
  type OfferedFunction,
  readFunction,
  readToolChoice,
  toToolOptions,
  unsupportedTool,
} from '../tools.js';
import { type PlacedItem, readInput, toMessages } from './items.js';
import type { ResponseStore } from './store.js';

/** What is asked both of a response and of a count of tokens. */
const conversationProperties = {
  model: optionalText('Name of the model. Default: the default model.'),
  input: optionalOneOf<string | readonly unknown[]>(
    ['string', 'array'],
    'A text, or items: message, reasoning, function_call, function_call_output, item_reference.',
  ),
  instructions: optionalText('The system prompt. That of an earlier response does not go on.'),
  previous_response_id: optionalText('A stored response that this one goes on from.'),
  tools: optionalArray('Functions that the model may call: `{ type: "function", name, parameters }`.'),
  tool_choice: optionalOneOf<string | object>(
    ['string', 'object'],
    '`auto` (the default with tools), `none`, `required`, a function by name, or `allowed_tools`.',
  ),
  parallel_tool_calls: optionalBoolean('Let the model call several functions at once. Default true.'),
  reasoning: optionalObject('`effort`: `none`, `minimal`, `low`, `medium`, `high` or `xhigh`.'),
  text: optionalObject('`format`: `text`, `json_object`, or `json_schema` with its schema.'),
};

/** Body of `POST /v1/responses/input_tokens`. */
export const InputTokensRequest = Type.Object(conversationProperties);

/** Body of `POST /v1/responses`. Fields that are not here have no effect. */
export const ResponsesRequest = Type.Object({
  ...conversationProperties,
  max_output_tokens: optionalInteger('Most tokens of the answer. Default: until the model ends it.', {
    minimum: 1,
    maximum: 0x7fff_ffff,
  }),
  stream: optionalBoolean('Answer with server-sent events. Default false.'),
  store: optionalBoolean('Keep the response for later requests. Default true.'),
  metadata: optionalObject('Comes back with the response.'),
  ...samplingProperties,
});

export type ResponsesBody = Static<typeof ResponsesRequest>;
export type InputTokensBody = Static<typeof InputTokensRequest>;

/** A request, read. */
export interface ResponsesCall extends ChatCall {
  /** All that was said before the answer, earlier responses included. */
  readonly items: readonly PlacedItem[];
}

/** Fields that change what a client gets, and that nothing here can do. */
const refused: Readonly<Record<string, string>> = {
  conversation: 'nothing: conversations are not kept here. Use previous_response_id',
  prompt: 'nothing: prompts are not kept here. Send input and instructions',
};

function refuseUnknown(body: object): void {
  const fields = body as JsonObject;
  for (const [name, expected] of Object.entries(refused)) {
    if (fields[name] !== undefined && fields[name] !== null) throw unexpected(name, expected, fields[name]);
  }
  if (fields.background === true) throw unexpected('background', 'false, or nothing', true);
  if (typeof fields.top_logprobs === 'number' && fields.top_logprobs > 0) {
    throw unexpected('top_logprobs', '0 (chat completions have log-probabilities)', fields.top_logprobs);
  }
}

function readTools(value: unknown): OfferedFunction[] {
  if (value === undefined || value === null) return [];
  return readArray(value, 'tools').map((item, index) => {
    const param = `tools[${index}]`;
    const tool = readObject(item, param, 'a tool of type function');
    if (tool.type !== 'function') throw unsupportedTool(`${param}.type`, tool.type);
    return readFunction(tool, param);
  });
}

interface Choice {
  readonly functions: readonly OfferedFunction[];
  readonly choice: ToolChoice | undefined;
}

/** `allowed_tools` leaves of the tools those it names. */
function readChoice(functions: readonly OfferedFunction[], value: unknown): Choice {
  const choice = value as JsonObject | string | null | undefined;
  if (typeof choice !== 'object' || choice?.type !== 'allowed_tools') {
    return { functions, choice: readToolChoice(choice) };
  }
  const names = readArray(choice.tools, 'tool_choice.tools').map((item, index) => {
    const param = `tool_choice.tools[${index}]`;
    return readText(readObject(item, param).name, `${param}.name`);
  });
  const unknown = names.find((name) => !functions.some((offered) => offered.name === name));
  if (unknown !== undefined) throw unexpected('tool_choice.tools', 'names of the tools', unknown);
  const { mode } = choice;
  if (mode !== 'auto' && mode !== 'required') {
    throw unexpected('tool_choice.mode', '"auto" or "required"', mode);
  }
  return { functions: functions.filter(({ name }) => names.includes(name)), choice: mode };
}

function readFormat(text: JsonObject | null | undefined): AnswerFormat | undefined {
  const { format = null } = text ?? {};
  if (format === null) return undefined;
  const { type } = readObject(format, 'text.format');
  return type === 'json_schema'
    ? readSchemaFormat(format, 'text.format')
    : readResponseFormat(format, 'text.format');
}

/** The items of the response that this one goes on from. */
function readPrevious(id: string | null | undefined, store: ResponseStore, owner: string): PlacedItem[] {
  if (id === undefined || id === null) return [];
  const previous = store.get(id, owner);
  if (previous === undefined) {
    const message = `There is no response ${JSON.stringify(id)}. Responses are kept in memory, for a time, unless \`store\` is false. Send the whole conversation as input.`;
    const param = 'previous_response_id';
    throw new RequestError('not-found', 'previous_response_not_found', message, { param });
  }
  return [...previous.input, ...previous.output].map((item) => ({ item, param: 'previous_response_id' }));
}

/**
 * Reads what is asked of a conversation.
 * @throws RequestError 400 naming the field; 404 for a response or item that is not there.
 */
export function readConversation(body: InputTokensBody, store: ResponseStore, owner: string): ResponsesCall {
  refuseUnknown(body);
  const before = readPrevious(body.previous_response_id, store, owner);
  const added = readInput(body.input ?? [], (id) => store.findItem(id, owner));
  const items = [...before, ...added];
  const { functions, choice } = readChoice(readTools(body.tools), body.tool_choice);
  const effort = readOptionalText(body.reasoning?.effort, 'reasoning.effort');
  return {
    items,
    messages: toMessages(items, body.instructions),
    options: {
      ...toToolOptions(functions, choice, body.parallel_tool_calls),
      ...toReasoningOptions({ effort }, 'reasoning.effort'),
    },
    format: readFormat(body.text),
  };
}

/**
 * Reads a request.
 * @throws RequestError 400 naming the field; 404 for a response or item that is not there.
 */
export function readResponsesCall(body: ResponsesBody, store: ResponseStore, owner: string): ResponsesCall {
  const call = readConversation(body, store, owner);
  const maxTokens = body.max_output_tokens;
  return {
    ...call,
    options: {
      ...call.options,
      ...toSamplingOptions(body),
      ...(typeof maxTokens === 'number' && { maxTokens }),
    },
  };
}
