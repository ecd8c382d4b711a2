import type { Model } from '../index.js';

/** What a chat model of another library needs of a {@link Model}. */
export type ChatFace = Pick<Model, 'chat' | 'metadata' | 'tokenize'>;

/** What an embedding model of another library needs of a {@link Model}. */
export type EmbeddingFace = Pick<Model, 'embed' | 'metadata' | 'tokenize'>;

/** The name under which other libraries know a model. */
export function modelName({ metadata }: Pick<Model, 'metadata'>): string {
  return metadata.name ?? metadata.description;
}

/**
 * How many tokens of an answer were reasoning. They are counted by tokenizing the reasoning again, which may differ by
 * a token or two from how the model wrote it.
 */
export async function countReasoningTokens(
  model: ChatFace,
  reasoning: string,
  completionTokens: number,
): Promise<number> {
  if (reasoning === '') return 0;
  const tokens = await model.tokenize(reasoning, { addSpecial: false });
  return Math.min(tokens.length, completionTokens);
}
