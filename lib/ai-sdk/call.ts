import type { LanguageModelV4CallOptions, SharedV4Warning } from '@ai-sdk/provider';
import { instruct } from '../ecosystem/instruct.js';
import type { ChatFace } from '../ecosystem/model-face.js';
import { describeSchema, withWidenedSchema } from '../ecosystem/widen-schema.js';
import type { ChatAnswer, ChatCallOptions, ChatMessage, JsonSchema } from '../index.js';
import { toChatMessages, type Warn } from './prompt.js';
import { type LlamaNativeProviderOptions, readProviderOptions } from './provider-options.js';
import { toToolOptions } from './tools.js';

/** An answer that has begun, and what of the call has no effect on it. */
export interface StartedCall {
  readonly answer: ChatAnswer;
  readonly warnings: SharedV4Warning[];
}

function withoutUndefined<Values extends object>(
  values: Values,
): {
  [Key in keyof Values]?: Exclude<Values[Key], undefined>;
} {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Values]?: Exclude<Values[Key], undefined>;
  };
}

function toGenerateOptions(options: LanguageModelV4CallOptions): ChatCallOptions {
  return withoutUndefined({
    maxTokens: options.maxOutputTokens,
    temperature: options.temperature,
    topP: options.topP,
    topK: options.topK,
    seed: options.seed,
    stop: options.stopSequences?.length ? options.stopSequences : undefined,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    signal: options.abortSignal,
  });
}

/** The three levels that templates know, gpt-oss's for one, for the seven that the AI SDK has. */
const efforts = { minimal: 'low', low: 'low', medium: 'medium', high: 'high', xhigh: 'high', max: 'high' };

function toThinkingOptions(
  reasoning: LanguageModelV4CallOptions['reasoning'],
  { variables }: LlamaNativeProviderOptions,
): Pick<ChatCallOptions, 'enableThinking' | 'variables'> {
  if (reasoning === undefined || reasoning === 'provider-default') return {};
  if (reasoning === 'none') return { enableThinking: false };
  return { enableThinking: true, variables: { reasoning_effort: efforts[reasoning], ...variables } };
}

interface JsonAnswer {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatCallOptions;
  /** What a grammar holds the answer to; undefined if it is free. */
  readonly jsonSchema: JsonSchema | undefined;
}

/** Adds what makes the answer JSON, if the call asks for that. */
function toJsonAnswer(
  format: LanguageModelV4CallOptions['responseFormat'],
  messages: readonly ChatMessage[],
  options: ChatCallOptions,
  isDescribed: boolean,
  warn: Warn,
): JsonAnswer {
  if (format?.type !== 'json') return { messages, options, jsonSchema: undefined };
  const schema = format.schema as JsonSchema | undefined;
  const asked = isDescribed ? instruct(messages, describeSchema(schema, format.description)) : messages;
  const { tools, toolChoice, maxSteps, ...others } = options;
  if (tools !== undefined && toolChoice !== 'none') {
    const details =
      'A grammar cannot hold an answer to a schema and leave it free to call tools; the model is only told the schema.';
    warn({ type: 'compatibility', feature: 'responseFormat together with tools', details });
    return { messages: asked, options, jsonSchema: undefined };
  }
  return { messages: asked, options: others, jsonSchema: schema ?? { type: 'object' } };
}

/**
 * Starts an answer to a call of the AI SDK.
 * @throws what {@link Model.chat} throws at once.
 */
export function startCall(model: ChatFace, call: LanguageModelV4CallOptions): StartedCall {
  const warnings: SharedV4Warning[] = [];
  const warn: Warn = (warning) => warnings.push(warning);
  const { describeSchema: isDescribed = true, ...own } = readProviderOptions(call.providerOptions);
  const options: ChatCallOptions = {
    ...own,
    ...toThinkingOptions(call.reasoning, own),
    ...toGenerateOptions(call),
    ...toToolOptions(call, warn),
  };
  const { jsonSchema, ...request } = toJsonAnswer(
    call.responseFormat,
    toChatMessages(call.prompt, warn),
    options,
    isDescribed,
    warn,
  );
  if (jsonSchema === undefined) return { answer: model.chat(request.messages, request.options), warnings };
  const { result: answer, dropped } = withWidenedSchema(jsonSchema, (schema) =>
    model.chat(request.messages, { ...request.options, jsonSchema: schema }),
  );
  for (const { path, keyword } of dropped) {
    const details = `${keyword} at ${path} cannot be held by a grammar; the answer is only checked against it.`;
    warn({ type: 'compatibility', feature: 'JSON schema', details });
  }
  return { answer, warnings };
}
