import { createError, type ErrorCode, errorCodes, LlamaNativeError } from '../errors.js';
import type { NativeDevice, NativeStepEvents, NativeSystemInfo } from '../native/addon.js';

/**
 * What the two ends of an isolated engine say to each other. Both come from the same package, so there is one version
 * of it; it is compared all the same, since a package may be updated under a running program.
 */
export const protocolVersion = 4;

/** Descriptors of the engine's process besides its standard ones: where it answers, and what closes with the parent. */
export const answerDescriptor = 3;
export const lifelineDescriptor = 4;

/** Calls that an engine answers, by their names in the addon; besides these, `echo` gives its arguments back. */
export const engineMethods = [
  'echo',
  'loadModel',
  'closeModel',
  'loadAdapter',
  'quantize',
  'tokenize',
  'detokenize',
  'applyChatTemplate',
  'createChatParser',
  'parseChat',
  'matchesGrammar',
  'jsonSchemaToGrammar',
  'createSampler',
  'createContext',
  'closeContext',
  'eval',
  'getLogits',
  'sample',
  'changeMemory',
  'getSequenceRange',
  'saveSequence',
  'savePrefix',
  'restoreSequence',
  'submitGeneration',
  'provideLogits',
  'embed',
  'scoreWindows',
  'getImatrix',
  'getMetrics',
] as const;
export type EngineMethod = (typeof engineMethods)[number];

/** Calls without an answer. `cancelCall` names a call that loads or quantizes. */
export const engineNotices = [
  'cancelCall',
  'cancelGeneration',
  'setEvictable',
  'closeSampler',
  'forget',
] as const;
export type EngineNotice = (typeof engineNotices)[number];

/** Stands for a native object of the engine. */
export interface HandleReference {
  readonly $handle: number;
}

/** To the engine. */
export type EngineRequest =
  | {
      readonly type: 'call';
      readonly call: number;
      readonly method: EngineMethod;
      readonly arguments: readonly unknown[];
      /** The number that the native object gets which the call makes. */
      readonly makes?: number;
    }
  | { readonly type: 'notice'; readonly notice: EngineNotice; readonly arguments: readonly unknown[] }
  | { readonly type: 'ping' };

/** An error as it crosses. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** From the engine. */
export type EngineReply =
  | {
      readonly type: 'ready';
      readonly protocol: number;
      readonly systemInfo: NativeSystemInfo;
      readonly devices: readonly NativeDevice[];
    }
  /** The addon cannot be loaded; the process ends. */
  | { readonly type: 'refused'; readonly error: SentError }
  | { readonly type: 'result'; readonly call: number; readonly value: unknown }
  | { readonly type: 'error'; readonly call: number; readonly error: SentError }
  | { readonly type: 'progress'; readonly call: number; readonly values: readonly number[] }
  | { readonly type: 'events'; readonly context: number; readonly events: NativeStepEvents }
  /** Answers a ping. `progress` goes up while something is evaluated or loaded. */
  | { readonly type: 'pong'; readonly progress: number; readonly memoryBytes: number };

/** An error on its way out; one that is none of ours is a defect. */
export function toSentError(error: unknown): SentError {
  if (LlamaNativeError.isInstance(error)) {
    const { code, message, details } = error;
    return { code, message, details };
  }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), details: {} };
}

/** The error that was sent, with its class. */
export function toError({ code, message, details }: SentError): LlamaNativeError {
  return createError(code in errorCodes ? code : 'INTERNAL', String(message), { details });
}
