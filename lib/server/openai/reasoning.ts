import type { ChatCallOptions } from '../../index.js';
import { type JsonObject, unexpected } from './checks.js';

/** The three levels that templates know, gpt-oss's for one, for those that OpenAI's API has. */
const efforts: Readonly<Record<string, 'low' | 'medium' | 'high'>> = {
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
};

/** What of a request says how the model may think. */
export interface ReasoningFields {
  /** OpenAI's level; `none` ends thinking. */
  readonly effort?: string | null | undefined;
  /** Variables for the chat template; `enable_thinking` among them is the switch. */
  readonly templateVariables?: JsonObject | null | undefined;
  readonly enableThinking?: boolean | null | undefined;
  /** Most tokens of thinking; -1 for no limit. */
  readonly budget?: number | null | undefined;
}

type ReasoningOptions = Pick<ChatCallOptions, 'enableThinking' | 'variables' | 'reasoningBudget'>;

/**
 * Options of an answer that say how the model may think. The switch goes before the level.
 * @throws RequestError 400 naming the field.
 */
export function toReasoningOptions(
  fields: ReasoningFields,
  effortParam = 'reasoning_effort',
): ReasoningOptions {
  const { enable_thinking: switched, ...variables } = fields.templateVariables ?? {};
  if (switched !== undefined && typeof switched !== 'boolean') {
    throw unexpected('chat_template_kwargs.enable_thinking', 'true or false', switched);
  }
  const { effort = null, budget = null } = fields;
  if (effort !== null && effort !== 'none' && !Object.hasOwn(efforts, effort)) {
    throw unexpected(effortParam, `one of none, ${Object.keys(efforts).join(', ')}`, effort);
  }
  const level = effort === null ? undefined : efforts[effort];
  const enableThinking = fields.enableThinking ?? switched ?? (effort === 'none' ? false : undefined);
  const all = { ...(level !== undefined && { reasoning_effort: level }), ...variables };
  return {
    ...(enableThinking !== undefined && { enableThinking }),
    ...(Object.keys(all).length > 0 && { variables: all }),
    ...(budget !== null && budget >= 0 && { reasoningBudget: budget }),
  };
}
