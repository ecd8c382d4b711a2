import type { ModelDescription } from '../config/read-config.js';
import type { MetadataBuilder } from '../metadata-builder.js';
import type { TensorPlan } from '../tensors/tensor-plan.js';
import type { TokenizerFiles } from '../tokenizer/tokenizer-files.js';

/** A family of models that can be converted. */
export interface Family {
  /** Names of the classes in Transformers, as config.json has them under `architectures`. */
  readonly classNames: readonly string[];
  /** Says how a model of the family becomes a GGUF file. */
  readonly describe: (model: ModelDescription, tokenizer: TokenizerFiles) => ModelLayout;
}

/** A vector that no checkpoint has and llama.cpp needs. */
export interface ComputedTensor {
  readonly name: string;
  readonly values: Float32Array;
}

/** Options of the conversion that concern the vocabulary. */
export interface VocabularyOptions {
  /** Name of llama.cpp for the way texts are cut before merging; default: found out. */
  readonly preTokenizer?: string | undefined;
}

/** How one model becomes a GGUF file. */
export interface ModelLayout {
  /** Name of the architecture in llama.cpp. */
  readonly architecture: string;
  /** What becomes of a tensor; 'omit' for one that llama.cpp has no use for, undefined for one nobody knows. */
  planTensor(name: string, shape: readonly number[]): TensorPlan | 'omit' | undefined;
  readonly computedTensors: readonly ComputedTensor[];
  /** Adds what llama.cpp must know to build the model. */
  addParameters(metadata: MetadataBuilder): void;
  addVocabulary(metadata: MetadataBuilder, options: VocabularyOptions): Promise<void>;
}
