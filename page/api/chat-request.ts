import type { Message } from '../conversation/types.js';

/** How an answer is to look. */
export type AnswerFormat = 'text' | 'json' | 'schema';

/** What the user set. What is missing is up to the server and the model. */
export interface ChatSettings {
  readonly model?: string;
  readonly systemPrompt: string;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly maxTokens?: number;
  readonly seed?: number;
  /** Reasoning of models that can turn it on and off; missing for what the model does by itself. */
  readonly thinking?: boolean;
  readonly format: AnswerFormat;
  /** Text of a JSON schema, used with the format `schema`. */
  readonly schema: string;
}

/** The bounds of the numbers, as the server has them. */
export const settingBounds = {
  temperature: { min: 0, max: 2, step: 0.05 },
  topP: { min: 0, max: 1, step: 0.01 },
  topK: { min: 0, max: 1000, step: 1 },
  minP: { min: 0, max: 1, step: 0.01 },
  maxTokens: { min: 1, max: 1_000_000, step: 1 },
  seed: { min: 0, max: 4_294_967_295, step: 1 },
} as const satisfies Partial<Record<keyof ChatSettings, { min: number; max: number; step: number }>>;

/** A setting that is a number. */
export type NumberSetting = keyof typeof settingBounds;

/** A number that the user typed, or undefined if the setting cannot be that. */
export function readNumberSetting(name: NumberSetting, text: string): number | undefined {
  const { min, max, step } = settingBounds[name];
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const isWhole = step !== 1 || Number.isInteger(value);
  return value >= min && value <= max && isWhole ? value : undefined;
}

/** A JSON schema from its text, or what is wrong with it. */
export function readSchema(text: string): { readonly schema: object } | { readonly problem: string } {
  try {
    const schema: unknown = JSON.parse(text);
    if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return { schema };
    return { problem: '{…}' };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function responseFormat({ format, schema }: ChatSettings): object | undefined {
  if (format === 'json') return { type: 'json_object' };
  if (format === 'text') return undefined;
  const read = readSchema(schema);
  if (!('schema' in read)) return undefined; // the page does not send before it is right
  return { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema: read.schema } };
}

/** The body of a request for the answer to some messages, as OpenAI's API has it and llama.cpp extends it. */
export function toChatRequest(settings: ChatSettings, path: readonly Message[]): Record<string, unknown> {
  const { systemPrompt, thinking } = settings;
  const system = systemPrompt.trim() === '' ? [] : [{ role: 'system', content: systemPrompt }];
  const fields: Record<string, unknown> = {
    model: settings.model,
    messages: [...system, ...path.map(({ role, text }) => ({ role, content: text }))],
    stream: true,
    stream_options: { include_usage: true },
    temperature: settings.temperature,
    top_p: settings.topP,
    top_k: settings.topK,
    min_p: settings.minP,
    max_tokens: settings.maxTokens,
    seed: settings.seed,
    response_format: responseFormat(settings),
    chat_template_kwargs: thinking === undefined ? undefined : { enable_thinking: thinking },
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
