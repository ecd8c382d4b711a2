import Type, { type Static } from 'typebox';
import type { ChatCallOptions, ChatMessage, Tool, ToolChoice } from '../../index.js';
import { invalidField } from '../failures.js';
import { ChatMessageSchema, toChatMessages } from './chat-messages.js';
import { Nullable } from './nullable.js';
import { SamplingFields, toSamplingOptions } from './sampling.js';

const ToolDefinition = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({
    name: Type.String({ minLength: 1 }),
    description: Nullable(Type.String()),
    parameters: Nullable(Type.Record(Type.String(), Type.Unknown())),
  }),
});

const ToolChoiceField = Type.Union([
  Type.Literal('auto'),
  Type.Literal('required'),
  Type.Literal('none'),
  Type.Object({ type: Type.Literal('function'), function: Type.Object({ name: Type.String() }) }),
]);

const JsonSchemaFormat = Type.Object({
  name: Type.Optional(Type.String()),
  schema: Nullable(Type.Record(Type.String(), Type.Unknown())),
});

const ResponseFormat = Type.Object({
  type: Type.Union([Type.Literal('text'), Type.Literal('json_object'), Type.Literal('json_schema')]),
  json_schema: Nullable(JsonSchemaFormat),
});

/** What may be said about an answer to a conversation, in the names of OpenAI's API. */
export const ChatFields = {
  messages: Type.Array(ChatMessageSchema, { minItems: 1 }),
  tools: Nullable(Type.Array(ToolDefinition)),
  tool_choice: Nullable(ToolChoiceField),
  parallel_tool_calls: Nullable(Type.Boolean()),
  response_format: Nullable(ResponseFormat),
  max_completion_tokens: Nullable(Type.Integer({ minimum: 1 })),
  ...SamplingFields,
};

const ChatRequest = Type.Object(ChatFields);
type ChatRequest = Static<typeof ChatRequest>;

function toToolChoice(choice: ChatRequest['tool_choice']): ToolChoice {
  if (choice === undefined || choice === null) return 'auto';
  return typeof choice === 'string' ? choice : { name: choice.function.name };
}

function toToolOptions({ tools, tool_choice, parallel_tool_calls }: ChatRequest): ChatCallOptions {
  if (tools === undefined || tools === null || tools.length === 0) return {};
  const described = new Map<string, Tool>();
  tools.forEach(({ function: { name, description, parameters } }, index) => {
    if (described.has(name)) {
      const message = `There are two tools with the name ${JSON.stringify(name)}. Give each its own.`;
      throw invalidField(`tools[${index}].function.name`, message);
    }
    described.set(name, {
      ...(typeof description === 'string' && { description }),
      parameters: { type: 'object', ...parameters },
    });
  });
  return {
    tools: Object.fromEntries(described),
    toolChoice: toToolChoice(tool_choice),
    maxSteps: 1,
    ...(typeof parallel_tool_calls === 'boolean' && { parallelToolCalls: parallel_tool_calls }),
  };
}

function toFormOptions({ response_format: format, tools }: ChatRequest): ChatCallOptions {
  if (format === undefined || format === null || format.type === 'text') return {};
  if (tools !== undefined && tools !== null && tools.length > 0) {
    const message = 'A response_format cannot be held together with tools. Leave one of them out.';
    throw invalidField('response_format', message);
  }
  if (format.type === 'json_object') return { jsonSchema: { type: 'object' } };
  const schema = format.json_schema?.schema;
  if (schema === undefined || schema === null) {
    const message = 'Expected a JSON schema in response_format.json_schema.schema; there is none.';
    throw invalidField('response_format.json_schema.schema', message);
  }
  return { jsonSchema: schema };
}

/** What `Model.chat` takes. */
export interface ChatCall {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatCallOptions;
}

/**
 * What `Model.chat` takes for such a request.
 * @throws RequestError naming the field that cannot be served.
 */
export function toChatCall(request: ChatRequest): ChatCall {
  const { max_completion_tokens: maxTokens } = request;
  return {
    messages: toChatMessages(request.messages),
    options: {
      ...toSamplingOptions(request),
      ...(typeof maxTokens === 'number' && { maxTokens }),
      ...toToolOptions(request),
      ...toFormOptions(request),
    },
  };
}
