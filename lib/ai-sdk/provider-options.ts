import type { SharedV4ProviderOptions } from '@ai-sdk/provider';
import { type ChatCallOptions, type EmbedOptions, InvalidArgumentError } from '../index.js';

/** Options that the AI SDK has by itself, or that its loop takes the place of. */
const ownOfCall = [
  'tools',
  'toolChoice',
  'maxSteps',
  'toolTimeoutMs',
  'maxToolResultLength',
  'signal',
  'maxTokens',
  'stop',
  'jsonSchema',
] as const;

/**
 * What `providerOptions.llamaNative` of a language model may hold: the options of {@link Model.chat} for which the AI
 * SDK has no name of its own, such as `minP`, `repeatPenalty`, `grammar`, `enableThinking` or `variables`.
 */
export interface LlamaNativeProviderOptions extends Omit<ChatCallOptions, (typeof ownOfCall)[number]> {
  /** Put the schema of a JSON answer into the system prompt, too, so that the model knows what is wanted. Default true. */
  describeSchema?: boolean;
}

/** What `providerOptions.llamaNative` of an embedding model may hold. */
export type LlamaNativeEmbeddingOptions = Pick<EmbedOptions, 'normalize' | 'truncate'> & {
  /** See {@link EmbedOptions.pooling}; `none` gives no single vector and is refused. */
  pooling?: 'mean' | 'cls' | 'last';
};

function invalid(message: string, name: string): InvalidArgumentError {
  return new InvalidArgumentError('INVALID_ARGUMENT', message, { details: { name } });
}

/**
 * The options of a language model's call.
 * @throws InvalidArgumentError for an option that is the AI SDK's own; unknown ones are refused by the model.
 */
export function readProviderOptions(
  options: SharedV4ProviderOptions | undefined,
): LlamaNativeProviderOptions {
  const given = options?.llamaNative ?? {};
  const own = ownOfCall.find((name) => Object.hasOwn(given, name));
  if (own !== undefined) {
    const message = `Expected ${own} as an option of the call, not in providerOptions.llamaNative.`;
    throw invalid(message, own);
  }
  if (given.describeSchema !== undefined && typeof given.describeSchema !== 'boolean')
    throw invalid(
      'Expected true or false for describeSchema in providerOptions.llamaNative.',
      'describeSchema',
    );
  return given as LlamaNativeProviderOptions;
}

/**
 * The options of an embedding model's call.
 * @throws InvalidArgumentError for one that it does not have.
 */
export function readEmbeddingOptions(
  options: SharedV4ProviderOptions | undefined,
): LlamaNativeEmbeddingOptions {
  const given = options?.llamaNative ?? {};
  const unknown = Object.keys(given).find((name) => !['normalize', 'truncate', 'pooling'].includes(name));
  if (unknown !== undefined) {
    const message = `Expected normalize, truncate or pooling in providerOptions.llamaNative; received ${JSON.stringify(unknown)}.`;
    throw invalid(message, unknown);
  }
  if (given.pooling === 'none') {
    const message =
      "Expected 'mean', 'cls' or 'last' for pooling; received 'none', which gives a vector for each token. Use model.embed for that.";
    throw invalid(message, 'pooling');
  }
  return given as LlamaNativeEmbeddingOptions;
}
