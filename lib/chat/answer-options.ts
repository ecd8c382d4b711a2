import { invalidArgument } from '../arguments.js';
import { checkGenerateOptions } from '../generate/check-options.js';
import { constraintKeys } from '../generate/constraint.js';
import type { GenerateOptions } from '../generate/types.js';
import { checkOverflow, type OverflowPolicy } from './overflow.js';
import { checkRenderOptions } from './render.js';
import type { ToolOptions } from './tool.js';
import { ToolBox, toolOptionKeys } from './tool-box.js';
import type { ChatAnswerOptions, ChatRenderOptions } from './types.js';

/** Options of {@link Model.chat}. */
export interface ChatCallOptions extends ChatAnswerOptions, ToolOptions {}

/** Options of {@link Chat.send} and the other methods that answer. */
export interface ChatSendOptions extends ChatCallOptions {
  /** What happens when the history no longer fits the context. Default `'error'`. */
  overflow?: OverflowPolicy;
}

/** Options of an answer, each with what reads it. */
export interface SortedOptions {
  readonly render: ChatRenderOptions;
  readonly generate: GenerateOptions;
  readonly tools: ToolBox | undefined;
  readonly overflow: OverflowPolicy;
}

/** The names of the options that say how a conversation is rendered. */
export const renderKeys: readonly string[] = [
  'template',
  'enableThinking',
  'variables',
  'allowControlTokens',
  'reasoningBudget',
];

function pick(options: object, isWanted: (key: string) => boolean): object {
  return Object.fromEntries(Object.entries(options).filter(([key]) => isWanted(key)));
}

/**
 * Checks and sorts the options of an answer.
 * @throws InvalidArgumentError for an unknown or bad option; ToolError INVALID_TOOL, TOOL_NOT_FOUND.
 */
export function sortOptions(options: ChatSendOptions): SortedOptions {
  const known = [...renderKeys, ...toolOptionKeys, 'overflow'];
  const generate = pick(options, (key) => !known.includes(key)) as GenerateOptions;
  checkGenerateOptions(generate);
  checkRenderOptions(options);
  checkOverflow(options.overflow);
  if (options.tools !== undefined && constraintKeys.some((key) => options[key] !== undefined)) {
    throw invalidArgument('tools', `none of ${constraintKeys.join(', ')} beside it`, options.tools);
  }
  const toolOptions = pick(options, (key) => toolOptionKeys.includes(key)) as ToolOptions;
  return {
    render: pick(options, (key) => renderKeys.includes(key)) as ChatRenderOptions,
    generate,
    tools: Object.keys(toolOptions).length === 0 ? undefined : new ToolBox(toolOptions),
    overflow: options.overflow ?? 'error',
  };
}
