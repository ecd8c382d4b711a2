import type { LanguageModelV4 } from '@ai-sdk/provider';
import { type ChatFace, modelName } from '../ecosystem/model-face.js';
import { startCall } from './call.js';
import { toContent, toFinishReason, toProviderMetadata, toUsage } from './result.js';
import { streamParts, toReadableStream } from './stream.js';

/** Settings of {@link languageModel} and {@link embeddingModel}. */
export interface ModelSettings {
  /** The name that results and telemetry carry. Default: the name in the model's file. */
  modelId?: string;
}

/**
 * A loaded model as a language model of the AI SDK 7 (specification `v4`), for `generateText`, `streamText` and the
 * others. Calls share the model: its options `sequences` and `queueLimit` say how many run at the same time. Whoever
 * loaded the model closes it.
 *
 * @example
 * ```ts
 * import { generateText } from 'ai';
 * import { languageModel } from 'llama-native/ai-sdk';
 *
 * const { text } = await generateText({
 *   model: languageModel(model),
 *   prompt: 'What is the capital of France?',
 *   maxOutputTokens: 20,
 * });
 * ```
 */
export function languageModel(model: ChatFace, settings: ModelSettings = {}): LanguageModelV4 {
  const modelId = settings.modelId ?? modelName(model);
  return {
    specificationVersion: 'v4',
    provider: 'llama-native',
    modelId,
    supportedUrls: {},
    async doGenerate(call) {
      const timestamp = new Date();
      const { answer, warnings } = startCall(model, call);
      const result = await answer.result;
      return {
        content: toContent(result),
        finishReason: toFinishReason(result.finishReason),
        usage: await toUsage(model, result),
        providerMetadata: toProviderMetadata(result),
        response: { modelId, timestamp },
        warnings,
      };
    },
    async doStream(call) {
      const left = new AbortController();
      const signals = call.abortSignal === undefined ? [left.signal] : [call.abortSignal, left.signal];
      const started = startCall(model, { ...call, abortSignal: AbortSignal.any(signals) });
      const parts = streamParts({ model, modelId, ...started });
      return { stream: toReadableStream(parts, () => left.abort()) };
    },
  };
}
