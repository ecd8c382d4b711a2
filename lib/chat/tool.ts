import type { InferArguments, JsonSchemaObject, StandardSchema } from '../schema/types.js';
import type { ChatMessage } from './types.js';

/** What a tool's `execute` gets beside the arguments. */
export interface ToolContext {
  /** Fires when the answer is aborted, its loop is left, or the tool's time is over. */
  readonly signal: AbortSignal;
  readonly toolCallId: string;
  /** The conversation until the call, the message that asks for it last. */
  readonly messages: readonly ChatMessage[];
}

/** Parameters of a tool: a JSON schema of type object, or a schema of a library such as Zod 4. */
export type ToolParameters = JsonSchemaObject | StandardSchema;

/** A function that the model may ask for. */
export interface Tool<Arguments = never, Result = unknown> {
  /** What it does and when it is useful: the model chooses by that. */
  readonly description?: string;
  /** Default: none. */
  readonly parameters?: ToolParameters;
  /**
   * Does the work. What it returns is given to the model: text as it is, anything else as JSON. Without it, the calls
   * are handed to the caller.
   */
  readonly execute?: (input: Arguments, context: ToolContext) => Result | PromiseLike<Result>;
}

/** Tools by name. */
export type Tools = Readonly<Record<string, Tool>>;

/** Which tools the model may call: as it likes, at least one, none, or this one. */
export type ToolChoice = 'auto' | 'required' | 'none' | { readonly name: string };

/**
 * Describes a tool. The type of the arguments of `execute` comes from `parameters`.
 *
 * @example
 * ```ts
 * import { loadModel, tool } from 'llama-native';
 *
 * const weather = tool({
 *   description: 'The weather in a city.',
 *   parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
 *   execute: ({ city }) => `It is sunny in ${city}.`,
 * });
 * ```
 */
export function tool<
  const Parameters extends ToolParameters | undefined = undefined,
  Result = unknown,
>(definition: {
  readonly description?: string;
  readonly parameters?: Parameters;
  readonly execute?: (
    input: InferArguments<Parameters>,
    context: ToolContext,
  ) => Result | PromiseLike<Result>;
}): Tool<never, Result> & { readonly parameters?: Parameters } {
  return definition as unknown as Tool<never, Result> & { readonly parameters?: Parameters };
}

/** Options of an answer that has tools. */
export interface ToolOptions {
  /** What the model may call, by name. Default: nothing. */
  tools?: Tools;
  /** Default `'auto'`. It holds for the first step; later ones choose freely. */
  toolChoice?: ToolChoice;
  /** Let the model ask for several calls at once, where its template can. They run at the same time. Default true. */
  parallelToolCalls?: boolean;
  /** Most calls that the model may ask for at once, 1 to 1000. Default 16. */
  maxParallelToolCalls?: number;
  /** How often the model is asked at most for one answer; the last time without tools. Default 8. */
  maxSteps?: number;
  /** How long a tool may take, in milliseconds. Default 60000. */
  toolTimeoutMs?: number;
  /** Most characters of a result; a longer one is an error that the model is told. Default 32768. */
  maxToolResultLength?: number;
}
