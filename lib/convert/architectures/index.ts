import { unsupportedCheckpoint } from '../checkpoint/index.js';
import { bertFamily } from './bert.js';
import { gemma2Family, gemma3Family } from './gemma.js';
import type { Family } from './layout.js';
import { llamaFamily, smollm3Family } from './llama.js';
import { phi3Family } from './phi3.js';
import { qwen2Family, qwen3Family } from './qwen.js';

export type { ComputedTensor, Family, ModelLayout, VocabularyOptions } from './layout.js';

const families: readonly Family[] = [
  llamaFamily,
  smollm3Family,
  qwen2Family,
  qwen3Family,
  gemma2Family,
  gemma3Family,
  phi3Family,
  bertFamily,
];

/** Classes of Transformers that can be converted. */
export const supportedClassNames: readonly string[] = families.flatMap(({ classNames }) => classNames);

/**
 * The family of a class of Transformers.
 * @throws ConversionError CHECKPOINT_UNSUPPORTED naming the class and those that are supported.
 */
export function familyOf(className: string, folder: string): Family {
  const family = families.find(({ classNames }) => classNames.includes(className));
  if (family !== undefined) return family;
  throw unsupportedCheckpoint(
    folder,
    `expected one of ${supportedClassNames.join(', ')} as its architecture, received ${className.slice(0, 100)}. ` +
      "Look for a GGUF file of it on the hub, or make one with llama.cpp's convert_hf_to_gguf.py.",
    { architecture: className, supported: supportedClassNames },
  );
}
