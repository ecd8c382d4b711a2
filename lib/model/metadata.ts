import type { NativeModelInfo } from '../native/addon.js';
import type { ModelMetadata } from './types.js';

/** The public form of what the addon tells about a loaded model. */
export function toMetadata(info: NativeModelInfo): ModelMetadata {
  return {
    architecture: info.keys['general.architecture'] ?? 'unknown',
    name: info.keys['general.name'],
    description: info.description,
    parameterCount: info.parameterCount,
    sizeBytes: info.sizeBytes,
    layerCount: info.layerCount,
    embeddingLength: info.embeddingLength,
    vocabularySize: info.vocabularySize,
    trainedContextSize: info.trainedContextSize,
    chatTemplate: info.chatTemplate,
    specialTokens: {
      beginOfSequence: info.beginOfSequence,
      endOfSequence: info.endOfSequence,
      endOfTurn: info.endOfTurn,
    },
    keys: info.keys,
  };
}
