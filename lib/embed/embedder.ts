import { abortError } from '../arguments.js';
import { createError } from '../errors.js';
import { addonOf, type ModelHandle, type NativeModelInfo } from '../native/addon.js';
import type { EmbeddingQueues } from './embedding-queues.js';
import { prepareTexts } from './prepare-texts.js';
import type { EmbedOptions, Pooling } from './types.js';

/** Values of `enum llama_pooling_type`, which files hold under the key `pooling_type`. */
const poolingsOfFiles: Readonly<Record<string, Pooling | 'rank'>> = {
  '1': 'mean',
  '2': 'cls',
  '3': 'last',
  '4': 'rank',
};

/** Computes the embeddings of a model. */
export class Embedder {
  readonly #model: ModelHandle;
  readonly #queues: EmbeddingQueues;
  readonly #info: NativeModelInfo;

  /** @throws ModelLoadError MODEL_UNSUPPORTED for a model whose embeddings llama.cpp does not compute. */
  constructor(model: ModelHandle, queues: EmbeddingQueues) {
    this.#model = model;
    this.#queues = queues;
    this.#info = addonOf(model).getModelInfo(model);
    if (this.#info.hasEncoder && this.#info.hasDecoder) {
      throw createError(
        'MODEL_UNSUPPORTED',
        `llama.cpp computes no embeddings with models of an encoder and a decoder, such as ${this.#architecture}. ` +
          'Take a model with one of them.',
      );
    }
  }

  /** The embeddings of checked texts under checked options, in their order. */
  async embed(texts: readonly string[], options: EmbedOptions): Promise<Float32Array[]> {
    const { pooling = this.#ownPooling(), normalize = true, truncate = false, onProgress, signal } = options;
    if (signal?.aborted) throw abortError(signal, 'Embedding');
    const [specialTokens = new Int32Array(), ...lists] = await addonOf(this.#model).tokenize(
      this.#model,
      ['', ...texts],
      true,
      false,
    );
    const longest = this.#queues.longestText;
    const prepared = prepareTexts(lists, { longest, truncate, specialTokens });
    const onBatch = (completed: number) => onProgress?.({ completed, total: texts.length });
    return this.#queues.of(pooling).run({ texts: prepared, normalize, onBatch }, 'Embedding', signal);
  }

  get #architecture(): string {
    return this.#info.keys['general.architecture'] ?? 'unknown';
  }

  #ownPooling(): Pooling {
    const own = poolingsOfFiles[this.#info.keys[`${this.#architecture}.pooling_type`] ?? ''] ?? 'mean';
    if (own !== 'rank') return own;
    throw createError(
      'MODEL_UNSUPPORTED',
      'This model is made for ranking: it gives a score to a pair of texts and has no embedding of its own. Use ' +
        "rank, take an embedding model, or choose how its tokens are pooled with { pooling: 'cls' }.",
    );
  }
}
