/**
 * Which architectures keep what kind of memory. Taken from `llm_arch_is_recurrent`, `llm_arch_is_hybrid` (src/llama-arch.cpp)
 * and `llama_model::create_memory` (src/llama-model.cpp) of the pinned llama.cpp; look again when the pin moves.
 */

/** Encoders and diffusion models: they read everything at once, and keep nothing. */
export const architecturesWithoutMemory = names(`
  bert jina-bert-v2 jina-bert-v3 nomic-bert nomic-bert-moe neo-bert eurobert wavtokenizer-dec modern-bert
  gemma-embedding dream llada llada-moe rnd1
`);

/** A state of fixed size in place of keys and values. */
export const recurrentArchitectures = names('mamba mamba2 rwkv6 rwkv6qwen2 rwkv7 arwkv7');

/** Some layers with a state, others with keys and values. */
export const hybridArchitectures = names(`
  jamba falcon-h1 plamo2 granitehybrid lfm2 lfm2moe nemotron_h nemotron_h_moe qwen3next kimi-linear bailingmoe3 kimi-k3
  qwen35 qwen35moe qwen4exp minimax-01
`);

/** Multi-head latent attention: one compressed vector for each token, from which keys and values are made. */
export const architecturesWithLatentAttention = names(`
  bailingmoe3 deepseek2 deepseek32 dots3note glm-dsa hy_v4 kimi-k3 kimi-linear mistral4
`);

/** Sparse attention: an index of keys by which tokens are chosen. */
export const architecturesWithIndexer = names('deepseek32 glm-dsa dots3note hy_v4 minimax-m3 qwen4exp');

/** The cache of the index has room for values too, which nothing uses. */
export const architecturesWithFullIndexerCache = names('minimax-m3');

/** Memories that {@link describeMemory} only comes near to. */
export const architecturesWithOtherMemory = names(
  'deepseek4 dflash gemma4-assistant t5 t5encoder eagle3 qwen4exp',
);

function names(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}
