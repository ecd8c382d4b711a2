import { ItemStream } from './item-stream.js';
import type { Generation, GenerationChunk, GenerationResult, TokenLogprob } from './types.js';

/** The two ends of a running generation: the engine writes chunks and the outcome. */
export class GenerationStream extends ItemStream<GenerationChunk, GenerationResult> implements Generation {
  /** The text so far. */
  get text(): string {
    return this.items.map((chunk) => chunk.text).join('');
  }

  /** The tokens so far. */
  get tokens(): number[] {
    return this.items.flatMap((chunk) => chunk.tokens);
  }

  /** The log-probabilities so far, if they were asked for. */
  get logprobs(): TokenLogprob[] {
    return this.items.flatMap((chunk) => chunk.logprobs ?? []);
  }
}
