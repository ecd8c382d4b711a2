import { checkBoolean, checkInteger, checkKeys, checkString, invalidArgument } from '../arguments.js';
import {
  addonOf,
  type ModelHandle,
  type NativeChatTemplateOptions,
  type NativeRenderedChat,
  type NativeSamplingOptions,
} from '../native/addon.js';
import { holdArguments } from './call-arguments.js';
import { checkMessages, toJsonText } from './check-messages.js';
import { markControlTexts } from './control-texts.js';
import { genericTemplate, spellOutTools } from './generic-tools.js';
import { grammarOfAnswer } from './hold-to-schema.js';
import { type Json, toNativeMessages } from './native-messages.js';
import { endThoughts } from './thoughts-grammar.js';
import { withinTimeLimit } from './time-limit.js';
import {
  boundCalls,
  boundExponents,
  boundIds,
  callAtOnce,
  closeAtOnce,
  escapeTexts,
} from './tool-grammar.js';
import { toNativeTools } from './tool-schema.js';
import type { ChatMessage, ChatRenderOptions, ChatTemplateOptions, RenderedChat } from './types.js';

const templateKeys = [
  'template',
  'addGenerationPrompt',
  'enableThinking',
  'variables',
  'beginOfSequence',
  'endOfSequence',
];

/** Each value as JSON, since the template engine takes its variables that way. */
function toJsonVariables(variables: Readonly<Record<string, unknown>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables ?? {}).map(([name, value]) => [name, toJsonText(`variables.${name}`, value)]),
  );
}

/**
 * Renders a conversation with a chat template through llama.cpp's Jinja.
 * @throws ChatError NO_CHAT_TEMPLATE, CHAT_TEMPLATE_FAILED.
 */
export async function renderChat(
  model: ModelHandle,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions,
): Promise<RenderedChat> {
  checkMessages(messages);
  checkKeys('chat template options', options, templateKeys);
  checkRenderOptions(options);
  checkBoolean('addGenerationPrompt', options.addGenerationPrompt);
  checkString('beginOfSequence', options.beginOfSequence);
  checkString('endOfSequence', options.endOfSequence);
  const { prompt, generationPrompt, stops } = await applyTemplate(model, toNativeMessages(messages), {
    ...options,
    variables: toJsonVariables(options.variables),
  });
  return { prompt, generationPrompt, stops };
}

function applyTemplate(
  model: ModelHandle,
  messages: readonly Json[],
  options: NativeChatTemplateOptions,
): Promise<NativeRenderedChat> {
  const addon = addonOf(model);
  const rendering = addon.applyChatTemplate(model, JSON.stringify(messages), options);
  return withinTimeLimit(rendering, { onLimit: () => addon.replaceProcess?.() });
}

/**
 * Checks the options that say how a conversation is rendered.
 * @throws InvalidArgumentError naming the option.
 */
export function checkRenderOptions(options: ChatRenderOptions): void {
  checkString('template', options.template);
  if (options.template === '') throw invalidArgument('template', 'a Jinja template', '');
  checkBoolean('enableThinking', options.enableThinking);
  checkBoolean('allowControlTokens', options.allowControlTokens);
  checkInteger('reasoningBudget', options.reasoningBudget, 0, 0x7fffffff);
  const { variables } = options;
  if (variables !== undefined && (typeof variables !== 'object' || variables === null)) {
    throw invalidArgument('variables', 'an object', variables);
  }
  toJsonVariables(variables);
}

/** A conversation to be answered. */
export interface PromptRequest extends ChatRenderOptions {
  readonly messages: readonly ChatMessage[];
  /** Tools in the form that templates take, which is OpenAI's. */
  readonly tools?: readonly Json[] | undefined;
  readonly toolChoice?: 'auto' | 'required' | 'none' | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  /** Most calls in one answer. Default 16. */
  readonly maxParallelToolCalls?: number | undefined;
  /** The last message is the beginning of the answer. */
  readonly continueFinalMessage?: boolean | undefined;
  /** What the answer has to be, as JSON text. */
  readonly jsonSchema?: string | undefined;
  /** Default true. */
  readonly addGenerationPrompt?: boolean | undefined;
}

/** A rendered conversation with its tokens, and what tells how the answer is written. */
export type RenderedPrompt = NativeRenderedChat & {
  readonly tokens: Int32Array;
  /** Most tokens of reasoning; undefined for no limit. */
  readonly reasoningBudget?: number | undefined;
  /** The grammar begins with the answer, not with what the prompt has of it. */
  readonly grammarBeginsWithAnswer?: boolean | undefined;
};

/** How the tokens of an answer are chosen: by the grammar of its tool calls, and within the budget of its reasoning. */
export function toChatSampling(rendered: RenderedPrompt): Partial<NativeSamplingOptions> {
  const { grammar, grammarTriggers, grammarPrefix, reasoningStart, reasoningEnds, reasoningBudget } =
    rendered;
  const prefix = rendered.grammarBeginsWithAnswer === true ? undefined : grammarPrefix;
  const hasReasoning = (reasoningEnds?.length ?? 0) > 0;
  return {
    // A grammar of the caller begins with the answer itself; that of a template with what the prompt has of it.
    ...(grammar !== '' && { grammar, grammarTriggers, ...(prefix && { grammarPrefix: prefix }) }),
    // Outside of a lazy grammar and a budget nobody asks where the reasoning is.
    ...(hasReasoning &&
      (grammar !== '' || reasoningBudget !== undefined) && {
        ...(grammarPrefix && { reasoningPrefix: grammarPrefix }),
        ...(reasoningStart && { reasoningStart }),
        ...(reasoningEnds && { reasoningEnds }),
        reasoningBudget: reasoningBudget ?? -1,
      }),
  };
}

/** Most calls in one answer, unless the caller says otherwise. */
const defaultMostCalls = 16;

function toolGrammar(grammar: string, request: PromptRequest): string {
  const { tools = [], toolChoice, parallelToolCalls, maxParallelToolCalls = defaultMostCalls } = request;
  if (grammar === '' || tools.length === 0) return grammar;
  const readable = escapeTexts(closeAtOnce(boundIds(boundExponents(grammar))));
  const held = holdArguments(readable, tools);
  const bounded = boundCalls(held, parallelToolCalls === false ? 1 : maxParallelToolCalls);
  return toolChoice === 'required' ? callAtOnce(bounded) : bounded;
}

/** The grammar of an answer: that of its template, or one of our own where the template's knows no schemas. */
async function grammarFor(
  rendered: RenderedPrompt,
  request: PromptRequest,
): Promise<Pick<RenderedPrompt, 'grammar' | 'grammarBeginsWithAnswer'>> {
  const { jsonSchema, continueFinalMessage } = request;
  if (jsonSchema === undefined) return { grammar: toolGrammar(rendered.grammar, request) };
  if (rendered.grammar !== '' || continueFinalMessage === true)
    return { grammar: boundExponents(endThoughts(rendered.grammar)) };
  const grammar = await grammarOfAnswer(rendered, jsonSchema);
  return { grammar, grammarBeginsWithAnswer: true };
}

/** Whether a template has a form for calls, by its text; the model's own is the empty one. */
const knownForms = new WeakMap<ModelHandle, Map<string, boolean>>();

async function hasFormOfCalls(model: ModelHandle, request: PromptRequest): Promise<boolean> {
  const template = request.template ?? '';
  const known = knownForms.get(model) ?? new Map<string, boolean>();
  knownForms.set(model, known);
  const found = known.get(template);
  if (found !== undefined) return found;
  const probe: PromptRequest = { ...request, messages: [{ role: 'user', content: 'Hello' }] };
  const { grammar } = await renderOwn(model, {
    ...probe,
    toolChoice: 'required',
    continueFinalMessage: false,
  });
  known.set(template, grammar !== '');
  return grammar !== '';
}

/** For a template without a form for calls: the tools in words, and the form of another template. */
async function renderGeneric(model: ModelHandle, request: PromptRequest): Promise<RenderedPrompt> {
  const { tools = [], toolChoice, parallelToolCalls, maxParallelToolCalls, ...others } = request;
  const own = await renderOwn(model, { ...others, messages: spellOutTools(request.messages, tools) });
  if (toolChoice === 'none' || request.continueFinalMessage === true) return own;
  const form = await renderOwn(model, {
    messages: [{ role: 'user', content: 'Hello' }],
    template: genericTemplate,
    tools,
    toolChoice,
    parallelToolCalls,
    maxParallelToolCalls,
  });
  const { prompt, tokens, stops, visibleTokens } = own;
  return { ...form, prompt, tokens, stops, ...(visibleTokens && { visibleTokens }) };
}

/**
 * Renders and tokenizes a conversation. What messages and tools say never becomes a control token, unless
 * `allowControlTokens` says so.
 * Tools work with every template: one that knows none is told of them in words.
 * @throws ChatError NO_CHAT_TEMPLATE, CHAT_TEMPLATE_FAILED.
 */
export async function renderPrompt(model: ModelHandle, request: PromptRequest): Promise<RenderedPrompt> {
  if (!request.tools?.length || (await hasFormOfCalls(model, request))) return renderOwn(model, request);
  return renderGeneric(model, request);
}

async function renderOwn(model: ModelHandle, request: PromptRequest): Promise<RenderedPrompt> {
  const messages = toNativeMessages(request.messages);
  const tools = request.tools ?? [];
  const options = {
    template: request.template || undefined,
    enableThinking: request.enableThinking,
    addGenerationPrompt: request.addGenerationPrompt,
    variables: toJsonVariables(request.variables),
    toolChoice: request.toolChoice,
    parallelToolCalls: request.parallelToolCalls,
    continueFinalMessage: request.continueFinalMessage === true ? ('auto' as const) : undefined,
    jsonSchema: request.jsonSchema,
    parseReasoning: true,
    tokenize: true,
  };
  const render = (content: readonly Json[], given: string, mark: object) =>
    applyTemplate(model, content, {
      ...options,
      ...(tools.length > 0 && { tools: given }),
      ...mark,
    }) as Promise<RenderedPrompt>;
  const { reasoningBudget } = request;
  const [native, asGiven] = [toNativeTools(tools), JSON.stringify(tools)];
  const rendered = await render(messages, native, {});
  const plain = { ...rendered, ...(await grammarFor(rendered, request)), reasoningBudget };
  /** The prompt alone: how the answer is written comes from the tools in llama.cpp's form. */
  const renderPromptAlone = async (content: readonly Json[], given: string, mark: object) => {
    const { prompt, tokens } = await render(content, given, { ...mark, toolChoice: 'none' });
    return { ...plain, prompt, tokens };
  };
  const asWritten = () => (native === asGiven ? plain : renderPromptAlone(messages, asGiven, {}));
  if (request.allowControlTokens === true) return asWritten();

  const all = { messages, tools };
  const { value, found, mark, escapedMark } = markControlTexts(model, all, {
    template: request.template || addonOf(model).getModelInfo(model).chatTemplate || '',
    reasoningStart: rendered.reasoningStartText,
    reasoningEnds: rendered.reasoningEndTexts,
  });
  if (!found) return asWritten();
  return renderPromptAlone(value.messages, JSON.stringify(value.tools), { mark, escapedMark });
}
