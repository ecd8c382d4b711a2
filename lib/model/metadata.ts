import type { NativeModelInfo } from '../native/addon.js';
import type { ModelMetadata } from './types.js';

/** The public form of what the addon tells about a loaded model. */
export function toMetadata(info: NativeModelInfo): ModelMetadata {
  const architecture = info.keys['general.architecture'] ?? 'unknown';
  // With `vocabOnly` llama.cpp reads no hyperparameters; the file's keys have them all the same.
  const fromKeys = (name: string) => Number(info.keys[`${architecture}.${name}`] ?? 0) || 0;
  return {
    architecture,
    name: info.keys['general.name'],
    description: info.description,
    parameterCount: info.parameterCount,
    sizeBytes: info.sizeBytes,
    layerCount: info.layerCount || fromKeys('block_count'),
    embeddingLength: info.embeddingLength || fromKeys('embedding_length'),
    vocabularySize: info.vocabularySize,
    trainedContextSize: info.trainedContextSize || fromKeys('context_length'),
    chatTemplate: info.chatTemplate,
    specialTokens: {
      beginOfSequence: info.beginOfSequence,
      endOfSequence: info.endOfSequence,
      endOfTurn: info.endOfTurn,
    },
    keys: info.keys,
  };
}
