import { invalidCheckpoint } from '../checkpoint/index.js';
import type { ModelConfig } from '../config/model-config.js';
import type { MetadataBuilder } from '../metadata-builder.js';
import { pieceTypes } from './sentencepiece-model.js';

/** No vocabulary is near that. */
const mostTokens = 1 << 24;

/** The tokens of a vocabulary by their ids, with a placeholder where there is none. */
export class TokenList {
  readonly texts: string[];
  readonly scores: Float32Array;
  readonly types: Int32Array;
  /** Whether ids have got a token. */
  readonly #isSet: Uint8Array;

  /** @param score of placeholders. */
  constructor(length: number, score: number) {
    this.texts = Array.from({ length }, (_, id) => `[PAD${id}]`);
    this.scores = new Float32Array(length).fill(score);
    this.types = new Int32Array(length).fill(pieceTypes.unused);
    this.#isSet = new Uint8Array(length);
  }

  get length(): number {
    return this.texts.length;
  }

  /** Sets a token; an id beyond the end is passed over. */
  set(id: number, text: string, type: number, score = 0): void {
    if (id >= this.length) return;
    this.texts[id] = text;
    this.types[id] = type;
    this.scores[id] = score;
    this.#isSet[id] = 1;
  }

  has(id: number): boolean {
    return this.#isSet[id] === 1;
  }

  /** Adds the tokens to a file. */
  addTo(metadata: MetadataBuilder, model: string, preTokenizer: string, withScores: boolean): void {
    metadata.string('tokenizer.ggml.model', model);
    metadata.string('tokenizer.ggml.pre', preTokenizer);
    metadata.strings('tokenizer.ggml.tokens', this.texts);
    if (withScores) metadata.float32s('tokenizer.ggml.scores', this.scores);
    metadata.int32s('tokenizer.ggml.token_type', this.types);
  }
}

/** How many tokens the model has room for. */
export function tokenCountOf(config: ModelConfig, fallback: number): number {
  const count = config.count('vocab_size') ?? fallback;
  if (count <= mostTokens) return count;
  throw invalidCheckpoint(
    config.folder,
    `expected at most ${mostTokens} tokens as vocab_size, received ${count}.`,
  );
}

/** Some files do not say that a token steers; its form does. Source: `does_token_look_special` in base.py. */
export function looksSpecial(text: string): boolean {
  return (
    ['<pad>', '<mask>', '<2mass>', '[@BOS@]'].includes(text) ||
    (text.startsWith('<|') && text.endsWith('|>')) ||
    (text.startsWith('<｜') && text.endsWith('｜>')) ||
    (text.startsWith('<unused') && text.endsWith('>'))
  );
}

/** Spaces are written as spaces in tokens that users define. */
export function withSpaces(text: string): string {
  return text.replaceAll('\u2581', ' ');
}
