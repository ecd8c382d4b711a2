/** The face of llama-native for LangChain: its chat models and embeddings, made from a loaded {@link Model}. */
export { ChatLlamaNative, type ChatLlamaNativeFields } from './chat-model.js';
export { LlamaNativeEmbeddings, type LlamaNativeEmbeddingsFields } from './embeddings.js';
export type { ChatLlamaNativeCallOptions } from './options.js';
