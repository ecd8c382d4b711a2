import type { BaseChatModelCallOptions, BindToolsInput } from '@langchain/core/language_models/chat_models';
import type { ChatCallOptions } from '../index.js';

/** Options of {@link Model.chat} that LangChain has under names of its own, or that belong to the caller's loop. */
type OfLangChain =
  | 'tools'
  | 'toolChoice'
  | 'maxSteps'
  | 'toolTimeoutMs'
  | 'maxToolResultLength'
  | 'signal'
  | 'stop';

/** How answers are made: the options of {@link Model.chat}. */
export type AnswerOptions = Omit<ChatCallOptions, OfLangChain>;

/** Options of a call of {@link ChatLlamaNative}: those of LangChain, and those of {@link Model.chat}. */
export interface ChatLlamaNativeCallOptions extends BaseChatModelCallOptions, AnswerOptions {
  /** Tools in any form that LangChain knows; `bindTools` sets them. */
  tools?: BindToolsInput[];
  /** Put `jsonSchema` into the system prompt, too. Default false; `withStructuredOutput` does so. */
  describeSchema?: boolean;
}

/** LangChain passes on much that is its own, so what is ours has to be picked. The compiler sees that none is missing. */
const answerOptionNames = {
  adaptiveDecay: true,
  adaptiveTarget: true,
  allowControlTokens: true,
  choice: true,
  contextFull: true,
  dryAllowedLength: true,
  dryBase: true,
  dryLastTokens: true,
  dryMultiplier: true,
  drySequenceBreakers: true,
  dynamicTemperatureExponent: true,
  dynamicTemperatureRange: true,
  enableThinking: true,
  frequencyPenalty: true,
  grammar: true,
  ignoreEndOfSequence: true,
  jsonSchema: true,
  keepTokens: true,
  logitBias: true,
  logitsProcessor: true,
  logprobs: true,
  maxParallelToolCalls: true,
  maxTokens: true,
  minKeep: true,
  minP: true,
  mirostat: true,
  mirostatEta: true,
  mirostatTau: true,
  onStart: true,
  parallelToolCalls: true,
  presencePenalty: true,
  priority: true,
  reasoningBudget: true,
  regex: true,
  repeatLastTokens: true,
  repeatPenalty: true,
  seed: true,
  speculative: true,
  temperature: true,
  template: true,
  topK: true,
  topNSigma: true,
  topP: true,
  typicalP: true,
  variables: true,
  xtcProbability: true,
  xtcThreshold: true,
} satisfies Record<keyof AnswerOptions, true>;

/** What of some options says how answers are made. */
export function pickAnswerOptions(options: object): AnswerOptions {
  const isOurs = (name: string) => Object.hasOwn(answerOptionNames, name);
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => isOurs(name) && value !== undefined),
  );
}
