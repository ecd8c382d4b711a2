/** Small models with random weights and a real WordPiece vocabulary, of the kinds that embeddings are computed with. */
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { type GgufTensorInput, type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import { temporaryFile, text, uint32 } from './gguf-files.js';
import { Random } from './gguf-random.js';
import { vendoredPath } from './vendored.js';

/** Sizes of {@link writeBertModel}: what all-MiniLM-L6-v2 has, made smaller. */
export const bertSizes = { layers: 2, embedding: 64, feedForward: 128, heads: 4, context: 128 } as const;

/** Values of the key `bert.pooling_type`. */
const poolingTypes = { none: 0, mean: 1, cls: 2, last: 3, rank: 4 } as const;

/** Writes a BERT, which only encodes, and returns its path. Without `pooling` the file asks for none. */
export async function writeBertModel(pooling?: keyof typeof poolingTypes): Promise<string> {
  const { layers, embedding, feedForward, heads, context } = bertSizes;
  const hyperparameters: Record<string, GgufValueInput> = {
    'general.architecture': text('bert'),
    'bert.block_count': uint32(layers),
    'bert.context_length': uint32(context),
    'bert.embedding_length': uint32(embedding),
    'bert.feed_forward_length': uint32(feedForward),
    'bert.attention.head_count': uint32(heads),
    'bert.attention.layer_norm_epsilon': { type: 'float32', value: 1e-12 },
    'bert.attention.causal': { type: 'bool', value: false },
    ...(pooling === undefined ? {} : { 'bert.pooling_type': uint32(poolingTypes[pooling]) }),
  };
  const weights = new RandomWeights();
  const norm = (name: string) => [
    weights.around(1, `${name}.weight`, [embedding]),
    weights.around(0, `${name}.bias`, [embedding]),
  ];
  const linear = (name: string, columns: number, rows: number) => [
    weights.matrix(`${name}.weight`, columns, rows),
    weights.around(0, `${name}.bias`, [rows]),
  ];
  const layer = (name: string) => [
    ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].flatMap((part) =>
      linear(`${name}.${part}`, embedding, embedding),
    ),
    ...norm(`${name}.attn_output_norm`),
    ...linear(`${name}.ffn_up`, embedding, feedForward),
    ...linear(`${name}.ffn_down`, feedForward, embedding),
    ...norm(`${name}.layer_output_norm`),
  ];
  return writeModel(`bert-${pooling ?? 'plain'}.gguf`, hyperparameters, (vocabularySize) => [
    weights.matrix('token_embd.weight', embedding, vocabularySize),
    weights.matrix('token_types.weight', embedding, 2),
    weights.matrix('position_embd.weight', embedding, context),
    ...norm('token_embd_norm'),
    ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
  ]);
}

/** Writes a Mamba, whose memory is a state and no KV cache, and returns its path. */
export async function writeMambaModel(): Promise<string> {
  const [layers, embedding, inner, state, kernel, rank] = [2, 64, 128, 16, 4, 4];
  const hyperparameters: Record<string, GgufValueInput> = {
    'general.architecture': text('mamba'),
    'mamba.block_count': uint32(layers),
    'mamba.context_length': uint32(1024),
    'mamba.embedding_length': uint32(embedding),
    'mamba.feed_forward_length': uint32(0),
    'mamba.attention.head_count': uint32(0),
    'mamba.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-5 },
    'mamba.ssm.conv_kernel': uint32(kernel),
    'mamba.ssm.inner_size': uint32(inner),
    'mamba.ssm.state_size': uint32(state),
    'mamba.ssm.time_step_rank': uint32(rank),
  };
  const weights = new RandomWeights();
  const layer = (name: string) => [
    weights.around(1, `${name}.attn_norm.weight`, [embedding]),
    weights.matrix(`${name}.ssm_in.weight`, embedding, 2 * inner),
    weights.matrix(`${name}.ssm_conv1d.weight`, kernel, inner),
    weights.around(0, `${name}.ssm_conv1d.bias`, [inner]),
    weights.matrix(`${name}.ssm_x.weight`, inner, rank + 2 * state),
    weights.matrix(`${name}.ssm_dt.weight`, rank, inner),
    weights.around(0, `${name}.ssm_dt.bias`, [inner]),
    weights.around(-1, `${name}.ssm_a`, [state, inner]),
    weights.around(1, `${name}.ssm_d`, [inner]),
    weights.matrix(`${name}.ssm_out.weight`, inner, embedding),
  ];
  return writeModel('mamba.gguf', hyperparameters, (vocabularySize) => [
    weights.matrix('token_embd.weight', embedding, vocabularySize),
    weights.around(1, 'output_norm.weight', [embedding]),
    ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
  ]);
}

async function writeModel(
  name: string,
  hyperparameters: Readonly<Record<string, GgufValueInput>>,
  tensorsFor: (vocabularySize: number) => GgufTensorInput[],
): Promise<string> {
  const { metadata: source } = await readGgufHeader(vendoredPath('models', 'ggml-vocab-bert-bge.gguf'));
  const tokens = source.get('tokenizer.ggml.tokens');
  if (tokens?.type !== 'array') throw new Error('Expected a vocabulary with tokens');
  const vocabulary = [...source].filter(([key]) => key.startsWith('tokenizer.'));
  const metadata = new Map<string, GgufValueInput>([...Object.entries(hyperparameters), ...vocabulary]);
  const path = await temporaryFile(name);
  await writeGguf(path, { metadata, tensors: tensorsFor(tokens.value.length) });
  return path;
}

/** Weights that keep values of about 1 at about 1. */
class RandomWeights {
  readonly #random = new Random(7);

  matrix(name: string, columns: number, rows: number): GgufTensorInput {
    const scale = 4 / Math.sqrt(columns);
    return this.#tensor(name, [columns, rows], () => (this.#random.next() - 0.5) * scale);
  }

  around(center: number, name: string, dimensions: number[]): GgufTensorInput {
    return this.#tensor(name, dimensions, () => center + (this.#random.next() - 0.5) / 5);
  }

  #tensor(name: string, dimensions: number[], next: () => number): GgufTensorInput {
    const count = dimensions.reduce((product, dimension) => product * dimension, 1);
    const values = Float32Array.from({ length: count }, next);
    return { name, dimensions, type: 'F32', data: () => new Uint8Array(values.buffer) };
  }
}
