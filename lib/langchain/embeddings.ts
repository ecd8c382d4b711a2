import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import type { EmbeddingFace } from '../ecosystem/model-face.js';
import { type EmbedOptions, InvalidArgumentError } from '../index.js';

/** What {@link LlamaNativeEmbeddings} are made from. */
export interface LlamaNativeEmbeddingsFields
  extends EmbeddingsParams,
    Pick<EmbedOptions, 'normalize' | 'truncate'> {
  /** From `loadModel`. Whoever loaded it closes it. */
  model: EmbeddingFace;
  /** See {@link EmbedOptions.pooling}; `none` gives no single vector and is refused. */
  pooling?: 'mean' | 'cls' | 'last';
}

/**
 * A loaded model as embeddings of LangChain.
 *
 * @example
 * ```ts
 * import { LlamaNativeEmbeddings } from 'llama-native/langchain';
 *
 * const embeddings = new LlamaNativeEmbeddings({ model });
 * const [first] = await embeddings.embedDocuments(['Its height is 330 metres.', 'It is blue.']);
 * ```
 */
export class LlamaNativeEmbeddings extends Embeddings {
  readonly model: EmbeddingFace;
  readonly #options: EmbedOptions;

  /** @throws InvalidArgumentError for the pooling `none`. */
  constructor({ model, pooling, normalize, truncate, ...others }: LlamaNativeEmbeddingsFields) {
    super(others);
    if ((pooling as EmbedOptions['pooling']) === 'none') {
      const message =
        "Expected 'mean', 'cls' or 'last' for pooling; received 'none', which gives a vector for each token. Use model.embed for that.";
      throw new InvalidArgumentError('INVALID_ARGUMENT', message, { details: { name: 'pooling' } });
    }
    this.model = model;
    this.#options = {
      ...(pooling !== undefined && { pooling }),
      ...(normalize !== undefined && { normalize }),
      ...(truncate !== undefined && { truncate }),
    };
  }

  /** The vector of each text, in their order. */
  override async embedDocuments(documents: string[]): Promise<number[][]> {
    if (documents.length === 0) return [];
    const vectors = await this.model.embed(documents, this.#options);
    return vectors.map((vector) => Array.from(vector));
  }

  /** The vector of a text. */
  override async embedQuery(document: string): Promise<number[]> {
    return Array.from(await this.model.embed(document, this.#options));
  }
}
