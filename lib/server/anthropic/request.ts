import Type, { type Static } from 'typebox';
import { type JsonObject, readObject, readOptionalText, unexpected } from '../openai/checks.js';
import {
  optionalArray,
  optionalBoolean,
  optionalInteger,
  optionalNumber,
  optionalObject,
  optionalOneOf,
} from '../openai/fields.js';
import type { AnswerFormat } from '../openai/response-format.js';
import { toStop } from '../openai/sampling.js';
import type { ChatCall } from '../openai/start-chat.js';
import { readConversation } from './messages.js';
import { readThinking } from './thinking.js';
import { readToolOptions } from './tools.js';

/** What is asked both of an answer and of a count of tokens. */
const conversationProperties = {
  model: Type.String({ minLength: 1, description: 'Name of the model, or an alias of it.' }),
  messages: Type.Unsafe<readonly unknown[]>({
    type: 'array',
    description:
      'Turns of user and assistant. Content is text, or blocks: text, document (plain text), search_result, thinking, tool_use and tool_result. A last turn of the assistant is the beginning of the answer.',
    items: {},
  }),
  system: optionalOneOf<string | readonly unknown[]>(
    ['string', 'array'],
    'The system prompt: text, or blocks of text.',
  ),
  tools: optionalArray('What the model may call: name, description and input_schema.'),
  tool_choice: optionalObject('`auto`, `any`, `none`, or `tool` with a name; `disable_parallel_tool_use`.'),
  thinking: optionalObject(
    '`enabled` with budget_tokens, `adaptive`, `between_tools` or `disabled`. Default: disabled, if the model has the choice.',
  ),
  output_config: optionalObject('`effort`, and `format` of type json_schema.'),
};

/** Body of `POST /v1/messages/count_tokens`. */
export const CountRequest = Type.Object(conversationProperties);

/** Body of `POST /v1/messages`. Fields that are not here are ignored. */
export const MessagesRequest = Type.Object({
  ...conversationProperties,
  max_tokens: Type.Integer({ minimum: 1, maximum: 0x7fff_ffff, description: 'Most tokens of the answer.' }),
  stop_sequences: optionalArray('Texts at which the answer ends. At most 64.'),
  stream: optionalBoolean('Send the answer as events while it is made.'),
  temperature: optionalNumber('Randomness. Default 0.8.', { minimum: 0, maximum: 100 }),
  top_p: optionalNumber('Keep the most probable tokens that together reach this probability.', {
    minimum: 0,
    maximum: 1,
  }),
  top_k: optionalInteger('Keep this many most probable tokens; 0 for all.', {
    minimum: 0,
    maximum: 0x7fff_ffff,
  }),
});

export type MessagesBody = Static<typeof MessagesRequest>;
export type CountBody = Static<typeof CountRequest>;

/** A chat as a request asks for it, and what its answer has to be told with. */
export interface MessagesCall extends ChatCall {
  readonly stopSequences: readonly string[];
  readonly showsThinking: boolean;
}

function readFormat({ format = null }: JsonObject): AnswerFormat | undefined {
  if (format === null) return undefined;
  const { type, schema } = readObject(format, 'output_config.format');
  if (type !== 'json_schema') throw unexpected('output_config.format.type', '"json_schema"', type);
  return {
    schema: readObject(schema, 'output_config.format.schema', 'a JSON schema'),
    isStrict: false,
    isDescribed: true,
  };
}

function readConversationCall(body: CountBody, maxTokens: number | undefined) {
  const output = body.output_config ?? {};
  const effort = readOptionalText(output.effort, 'output_config.effort');
  const thinking = readThinking(body.thinking, effort, maxTokens);
  return {
    messages: readConversation(body.system, body.messages),
    options: { ...readToolOptions(body.tools, body.tool_choice), ...thinking.options },
    format: readFormat(output),
    showsThinking: thinking.isShown,
  };
}

/** @throws RequestError 400 naming the field. */
export function readCountCall(body: CountBody): ChatCall {
  return readConversationCall(body, undefined);
}

/** @throws RequestError 400 naming the field. */
export function readMessagesCall(body: MessagesBody): MessagesCall {
  const { temperature, top_p: topP, top_k: topK, max_tokens: maxTokens } = body;
  const call = readConversationCall(body, maxTokens);
  const stop = toStop(body.stop_sequences, 'stop_sequences');
  return {
    ...call,
    options: {
      ...call.options,
      maxTokens,
      ...(typeof temperature === 'number' && { temperature }),
      ...(typeof topP === 'number' && { topP }),
      ...(typeof topK === 'number' && { topK }),
      ...(stop !== undefined && { stop }),
    },
    stopSequences: stop ?? [],
  };
}
