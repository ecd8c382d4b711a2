import type {
  ChatCallOptions,
  ChatMessage,
  EmbedOptions,
  GenerateOptions,
  JsonSchema,
  Pooling,
} from '../../index.js';
import { invalidField } from '../failures.js';
import { parseArguments } from '../openai/messages.js';
import { type OfferedFunction, toToolOptions as toOffered } from '../openai/tools.js';
import { withoutNothing } from '../requests/nullable.js';
import type {
  AnswerFields,
  ChatMessageMessage,
  ChatRequest,
  EmbedRequest,
  FormMessage,
  GenerateRequest,
  ToolMessage,
} from './messages.js';

function readJsonObject(text: string, param: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidField(param, `Expected a JSON schema, as JSON, for ${param}; its text is no JSON.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalidField(param, `Expected a JSON schema, as JSON, for ${param}; it is no object.`);
}

function readRegex(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidField('form.regex', `Expected a regular expression for form.regex: ${reason}.`);
  }
}

function toForm(
  form: FormMessage | null,
): Pick<GenerateOptions, 'jsonSchema' | 'regex' | 'grammar' | 'choice'> {
  if (form === null) return {};
  const { jsonSchema, regex, grammar, choice } = form;
  if (jsonSchema !== undefined)
    return { jsonSchema: readJsonObject(jsonSchema, 'form.json_schema') as JsonSchema };
  if (regex !== undefined) return { regex: readRegex(regex) };
  if (grammar !== undefined) return { grammar };
  return choice ? { choice: choice.texts } : {};
}

function toAnswerOptions({ maxTokens, stop, sampling, form }: AnswerFields): GenerateOptions {
  const { logitBias = {}, ...numbers } = sampling ?? {};
  return {
    ...withoutNothing({ maxTokens, ...numbers }),
    ...(stop.length > 0 && { stop }),
    ...(Object.keys(logitBias).length > 0 && { logitBias: logitBias as Record<number, number> }),
    ...toForm(form),
  };
}

/** What `Model.generate` takes for a request. @throws RequestError naming the field. */
export function toGenerateCall(request: GenerateRequest): {
  readonly prompt: string | readonly number[];
  readonly options: GenerateOptions;
} {
  const { prompt, tokens, logprobs, parseSpecial, ignoreEndOfSequence } = request;
  const input = prompt ?? tokens?.ids ?? '';
  if (input.length === 0) throw invalidField('prompt', 'Expected a prompt, or tokens; there is neither.');
  return {
    prompt: input,
    options: {
      ...toAnswerOptions(request),
      ...withoutNothing({ logprobs, parseSpecial, ignoreEndOfSequence }),
    },
  };
}

function toChatMessage(message: ChatMessageMessage): ChatMessage {
  const { role, content, reasoning, toolCalls, toolCallId, name } = message;
  return {
    role,
    content,
    ...(reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && {
      toolCalls: toolCalls.map((call) => ({ ...call, arguments: parseArguments(call.arguments) })),
    }),
    ...(toolCallId !== '' && { toolCallId }),
    ...(name !== '' && { name }),
  };
}

function toOfferedFunction({ name, description, parameters }: ToolMessage, index: number): OfferedFunction {
  const schema = parameters === '' ? {} : readJsonObject(parameters, `tools[${index}].parameters`);
  return {
    name,
    tool: { ...(description !== '' && { description }), parameters: { type: 'object', ...schema } },
  };
}

/** What `Model.chat` takes for a request. @throws RequestError naming the field. */
export function toChatCall(request: ChatRequest): {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatCallOptions;
} {
  const { messages, tools, toolChoice: choice, parallelToolCalls, enableThinking, reasoningBudget } = request;
  if (messages.length === 0) throw invalidField('messages', 'Expected at least one message; there is none.');
  const isMode = choice === 'auto' || choice === 'required' || choice === 'none';
  const toolChoice = isMode ? choice : { name: choice };
  return {
    messages: messages.map(toChatMessage),
    options: {
      ...toAnswerOptions(request),
      ...toOffered(tools.map(toOfferedFunction), choice === '' ? undefined : toolChoice, parallelToolCalls),
      ...withoutNothing({ enableThinking, reasoningBudget }),
    },
  };
}

/** What `Model.embed` takes for a request. @throws RequestError naming the field. */
export function toEmbedOptions({ texts, pooling, normalize, truncate }: EmbedRequest): EmbedOptions {
  if (texts.length === 0) throw invalidField('texts', 'Expected at least one text; there is none.');
  if (!['', 'mean', 'cls', 'last'].includes(pooling)) {
    const message = `Expected mean, cls or last for pooling; received ${JSON.stringify(pooling.slice(0, 40))}.`;
    throw invalidField('pooling', message);
  }
  return {
    ...withoutNothing({ normalize, truncate }),
    ...(pooling !== '' && { pooling: pooling as Pooling }),
  };
}
