import type { EmbeddingModelV4, SharedV4Warning } from '@ai-sdk/provider';
import { type EmbeddingFace, modelName } from '../ecosystem/model-face.js';
import type { ModelSettings } from './language-model.js';
import { readEmbeddingOptions } from './provider-options.js';

/**
 * A loaded model as an embedding model of the AI SDK 7 (specification `v4`), for `embed` and `embedMany`. Whoever
 * loaded the model closes it.
 *
 * @example
 * ```ts
 * import { embed } from 'ai';
 * import { embeddingModel } from 'llama-native/ai-sdk';
 *
 * const { embedding } = await embed({ model: embeddingModel(model), value: 'Its height is 330 metres.' });
 * ```
 */
export function embeddingModel(model: EmbeddingFace, settings: ModelSettings = {}): EmbeddingModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'llama-native',
    modelId: settings.modelId ?? modelName(model),
    maxEmbeddingsPerCall: undefined,
    supportsParallelCalls: true,
    async doEmbed({ values, dimensions, abortSignal, providerOptions }) {
      const options = readEmbeddingOptions(providerOptions);
      const warnings: SharedV4Warning[] = [];
      if (dimensions !== undefined) {
        const details = `The model gives ${model.metadata.embeddingLength} dimensions.`;
        warnings.push({ type: 'unsupported', feature: 'dimensions', details });
      }
      const vectors = await model.embed(values, {
        ...options,
        ...(abortSignal !== undefined && { signal: abortSignal }),
      });
      const tokens = await model.tokenize(values);
      return {
        embeddings: vectors.map((vector) => Array.from(vector)),
        usage: { tokens: tokens.reduce((sum, list) => sum + list.length, 0) },
        warnings,
      };
    },
  };
}
