import type { ChatCallOptions } from '../../index.js';
import { type JsonObject, unexpected } from '../openai/checks.js';
import { toReasoningOptions } from '../openai/reasoning.js';

/** How the model thinks, and whether the client is shown it. */
export interface Thinking {
  readonly options: Pick<ChatCallOptions, 'enableThinking' | 'variables' | 'reasoningBudget'>;
  readonly isShown: boolean;
}

function readBudget(budget: unknown, maxTokens: number | undefined): number {
  const param = 'thinking.budget_tokens';
  if (typeof budget !== 'number' || !Number.isInteger(budget) || budget < 1 || budget > 0x7fff_ffff) {
    throw unexpected(param, 'a whole number from 1', budget);
  }
  if (maxTokens !== undefined && budget >= maxTokens) {
    throw unexpected(param, `less than max_tokens (${maxTokens})`, budget);
  }
  return budget;
}

function readDisplay(display: unknown): boolean {
  if (display === undefined || display === null || display === 'summarized') return true;
  if (display === 'omitted') return false;
  throw unexpected('thinking.display', '"summarized" or "omitted"', display);
}

/** Whether to think at all, and how much. Without the field a model that has the choice does not think. */
function readSwitch(thinking: JsonObject, maxTokens: number | undefined) {
  switch (thinking.type) {
    case 'disabled':
      return { enableThinking: false };
    case 'enabled':
      return { enableThinking: true, budget: readBudget(thinking.budget_tokens, maxTokens) };
    case 'adaptive':
    case 'between_tools':
      return { enableThinking: true };
    default:
      throw unexpected(
        'thinking.type',
        '"enabled", "disabled", "adaptive" or "between_tools"',
        thinking.type,
      );
  }
}

/**
 * Reads `thinking` and `output_config.effort`.
 * @throws RequestError 400 naming the field.
 */
export function readThinking(
  thinking: JsonObject | null | undefined,
  effort: string | null | undefined,
  maxTokens: number | undefined,
): Thinking {
  const given = thinking ?? { type: 'disabled' };
  const level = effort === 'max' ? 'xhigh' : effort;
  return {
    options: toReasoningOptions({ ...readSwitch(given, maxTokens), effort: level }, 'output_config.effort'),
    isShown: readDisplay(given.display),
  };
}
