/**
 * What the graphs of single architectures assert about hyperparameters, as data. Taken from the files of src/models/ of
 * the pinned llama.cpp; look again when the pin moves. An architecture that is not listed is not checked.
 */

/** The graph asserts that rope turns the whole head (`n_embd_head == n_rot`) and that keys and values are as long. */
export const architecturesWithFullRope = names(`
  llama llama4 deci falcon grok baichuan qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe plamo
  codeshell orion internlm2 minicpm starcoder2 xverse cohere2moe dbrx olmo olmo2 olmoe arctic deepseek jais2
  nemotron exaone exaone4 exaone-moe granite granitemoe graniteswitch granite_swa chameleon dots1 arcee ernie4_5
  ernie4_5-moe hunyuan-moe hunyuan-dense hunyuan_vl hy_v3 smollm3 dream smallthinker llada llada-moe seed_oss
  grovemoe apertus minimax-01 minimax-m2 cogvlm rnd1 pangu-embedded mistral3 paddleocr llama-embed maincoder
  talkie mellum qwen3tts pockettts
`);

/** The graph asserts that keys and values are as long (`n_embd_head == n_embd_head_k()`). */
export const architecturesWithEqualHeads = new Set([
  ...architecturesWithFullRope,
  ...names(`
    gpt2 gptneox mpt starcoder refact bert modern-bert nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3
    eurobert bloom stablelm qwen qwen35 qwen35moe phi2 phi3 phimoe maple command-r cohere2 muse-glimmer
    openelm chatglm glm4 glm4moe bitnet t5 t5encoder jais nemotron_h nemotron_h_moe granitehybrid bailingmoe2
    afmoe laguna minimax-m3 spark2_5 nanbeige
  `),
]);

/** No rope at all. Source: `llama_model_rope_type` in src/llama-model.cpp. */
export const architecturesWithoutRope = names(`
  clip gpt2 gptj mpt refact bloom mamba mamba2 jamba jina-bert-v2 t5 t5encoder jais rwkv6 rwkv6qwen2 rwkv7 arwkv7
  wavtokenizer-dec nemotron_h nemotron_h_moe kimi-linear kimi-k3
`);

/** Positions in several dimensions: the kernel asserts that one of `rope.dimension_sections` is not 0. */
export const architecturesWithRopeSections = names(`
  qwen2vl paddleocr qwen3vl qwen3vlmoe qwen35 qwen35moe qwen4exp qwen3tts
`);

/** Loading divides by the number of experts in use, or asserts that there are some. */
export const architecturesWithExperts = names(`
  bailingmoe2 glm4moe grovemoe lfm2moe llada-moe qwen2moe qwen3moe qwen3vlmoe qwen35moe rnd1 smallthinker
`);

/** Loading divides by the number of attention heads of the first layer. */
export const architecturesDividingByHeads = names('olmo2 phimoe');

/** A sliding window is switched on, and creating a context asserts that some layer has one (`is_swa_any`). */
export const architecturesWithSlidingWindow = names(`
  afmoe cohere2 cohere2moe dots3note exaone-moe exaone4 gemma-embedding gemma2 gemma3 gemma3n gemma4 granite_swa
  laguna lfm2 lfm2moe maple mellum mimo2 modern-bert muse-glimmer olmo2 gpt-oss plamo3 smallthinker spark2_5 step35
`);

/**
 * The graphs have a fixed number of places, in which those of adapters are not counted; one too many is an assertion.
 * Source: `llama_context::graph_max_nodes` in src/llama-context.cpp.
 */
export const architecturesWithFixedGraphs = names(`
  kimi-k3 hrm_text qwen3next kimi-linear bailingmoe3 qwen35 qwen35moe qwen4exp deepseek4 dflash nanbeige minimax-01
  minimax-m3 hy_v4
`);

/** The query matrix is as wide as the embeddings (`create_tensor_qkv(…, n_embd, n_embd, …)`), and is then cut into heads. */
export const architecturesWithSquareQuery = names(`
  arctic baichuan bert bitnet chameleon codeshell cohere2 command-r deepseek dream eurobert grok internlm2 jamba
  jina-bert-v2 jina-bert-v3 lfm2 lfm2moe llada-moe nemotron nomic-bert nomic-bert-moe olmo olmo2 olmoe orion phi2 phi3
  phimoe plamo qwen2 qwen2moe qwen2vl stablelm starcoder2 xverse
`);

/** The graph asserts that two vectors are kept of each layer (`token_shift_count == 2`). */
export const architecturesWithTokenShift = names('rwkv6 rwkv7');

/** The embeddings are cut into heads of `wkv.head_size`, and the kernel takes 64 values of a head at once. */
export const architecturesWithWkvHeads = names('rwkv6 rwkv6qwen2 rwkv7 arwkv7');

/** Counts that something is divided by, or that are asserted not to be 0, wherever they are given. */
export const countsNeverZero = [
  'ssm.group_count',
  'wkv.head_size',
  'full_attention_interval',
  'experts_per_group',
  'attention.output_group_count',
  'attention.indexer.block_size',
  'num_loops',
  'hrm.layers_per_stack',
  'hrm.h_cycles',
  'hrm.l_cycles',
] as const;

function names(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}
