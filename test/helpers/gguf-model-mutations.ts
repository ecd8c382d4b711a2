import { encodeGgufHeader, type GgufValueInput } from '../../lib/gguf/encode-header.js';
import { tensorByteSize, tensorTypeByName, tensorTypes } from '../../lib/gguf/tensor-types.js';
import { interestingFloats, interestingIntegers } from './gguf-interesting-values.js';
import type { Change } from './gguf-mutations.js';
import type { Random } from './gguf-random.js';
import type { MutationSeed } from './gguf-seeds.js';

type Metadata = Map<string, GgufValueInput>;

/** Writes the header anew after a change of its metadata. */
function rebuild(seed: MutationSeed, what: string, change: (metadata: Metadata) => void): Change {
  const metadata: Metadata = new Map(seed.header.metadata);
  change(metadata);
  return { what, ...encode(seed, metadata, seed.header.tensors) };
}

export function encode(
  seed: MutationSeed,
  metadata: Metadata,
  tensors: readonly { name: string; dimensions: readonly number[]; type: string }[],
): { header: Buffer; fileSize: number } {
  const { alignment } = seed.header;
  const pad = (length: number) => Math.ceil(length / alignment) * alignment;
  let offset = 0;
  const placed = tensors.map((tensor) => {
    const tensorType = tensorTypeByName(tensor.type) ?? { id: 0, name: 'F32', blockSize: 1, blockBytes: 4 };
    const entry = { ...tensor, tensorType, offset };
    offset += pad(Math.ceil(tensorByteSize(tensorType, tensor.dimensions)));
    return entry;
  });
  const header = encodeGgufHeader(metadata, placed);
  const padded = tensors.length === 0 ? header : Buffer.concat([header], pad(header.length));
  return { header: padded, fileSize: Math.max(padded.length + offset, seed.bytes.length) };
}

function keysOf(seed: MutationSeed): string[] {
  return [...seed.header.metadata.keys()];
}

export function renameKey(seed: MutationSeed, random: Random): Change {
  const key = random.pick(keysOf(seed));
  const name = random.pick([
    `${key}x`,
    key.slice(0, -1),
    key.toUpperCase(),
    `llama.${key}`,
    'general.alignment',
  ]);
  return rebuild(seed, `${key} renamed to ${name}`, (metadata) => {
    const entry = metadata.get(key);
    metadata.delete(key);
    if (entry !== undefined) {
      metadata.set(name, entry);
    }
  });
}

export function removeKey(seed: MutationSeed, random: Random): Change {
  const key = random.pick(keysOf(seed));
  return rebuild(seed, `${key} removed`, (metadata) => metadata.delete(key));
}

export function swapValues(seed: MutationSeed, random: Random): Change {
  const [first, second] = [random.pick(keysOf(seed)), random.pick(keysOf(seed))];
  return rebuild(seed, `values of ${first} and ${second} swapped`, (metadata) => {
    const [one, two] = [metadata.get(first), metadata.get(second)];
    if (one !== undefined && two !== undefined) {
      metadata.set(first, two).set(second, one);
    }
  });
}

/** The same number as another type, or an array in place of a scalar. */
export function retypeValue(seed: MutationSeed, random: Random): Change {
  const key = random.pick(keysOf(seed));
  const number = random.pick([0, 1, 2, 8, 100]);
  const entry = random.pick<GgufValueInput>([
    { type: 'uint64', value: number },
    { type: 'int32', value: number },
    { type: 'uint16', value: number },
    { type: 'float32', value: number },
    { type: 'bool', value: number > 1 },
    { type: 'string', value: String(number) },
    { type: 'array', elementType: 'uint32', value: [number, number, number] },
    { type: 'array', elementType: 'string', value: ['a', 'b'] },
    { type: 'array', elementType: 'bool', value: [true] },
    { type: 'array', elementType: 'float32', value: [] },
  ]);
  const what = `${key} as ${entry.type}${entry.type === 'array' ? ` of ${entry.elementType}` : ''} ${number}`;
  return rebuild(seed, what, (metadata) => metadata.set(key, entry));
}

/** Hyperparameters that the seed lacks, at values that llama.cpp may not expect. */
const extraCounts = [
  'expert_count',
  'expert_used_count',
  'expert_group_count',
  'expert_group_used_count',
  'expert_feed_forward_length',
  'leading_dense_block_count',
  'nextn_predict_layers',
  'vocab_size',
  'embedding_length_out',
  'pooling_type',
  'attention.key_length',
  'attention.value_length',
  'attention.key_length_swa',
  'attention.value_length_swa',
  'attention.sliding_window',
  'attention.sliding_window_pattern',
  'attention.shared_kv_layers',
  'attention.head_count',
  'attention.head_count_kv',
  'rope.dimension_count',
  'rope.dimension_count_swa',
  'rope.scaling.original_context_length',
  'feed_forward_length',
  'block_count',
  'context_length',
];
const extraFloats = [
  'rope.freq_base',
  'rope.scaling.factor',
  'rope.scale_linear',
  'rope.scaling.attn_factor',
  'attention.layer_norm_rms_epsilon',
  'attention.layer_norm_epsilon',
  'attention.max_alibi_bias',
  'attention.clamp_kqv',
  'logit_scale',
  'residual_scale',
  'embedding_scale',
  'attention.scale',
];

export function addKey(seed: MutationSeed, random: Random): Change {
  const architecture = architectureOf(seed);
  const additions: (() => [string, GgufValueInput])[] = [
    () => [
      `${architecture}.${random.pick(extraCounts)}`,
      { type: 'uint32', value: Number(BigInt.asUintN(32, random.pick(interestingIntegers))) },
    ],
    () => [
      `${architecture}.${random.pick(extraCounts)}`,
      {
        type: 'array',
        elementType: random.pick(['uint32', 'int32', 'bool'] as const),
        value: new Uint32Array(random.pick([1, 2, 30, 512, 513])).fill(random.pick([0, 1, 64, 2 ** 32 - 1])),
      },
    ],
    () => [
      `${architecture}.${random.pick(extraFloats)}`,
      { type: 'float32', value: random.pick(interestingFloats) },
    ],
    () => [
      `${architecture}.rope.scaling.type`,
      { type: 'string', value: random.pick(['none', 'linear', 'yarn', 'longrope', 'other', '']) },
    ],
    () => [`${architecture}.attention.causal`, { type: 'bool', value: random.next() < 0.5 }],
    () => ['split.count', { type: 'uint16', value: random.pick([0, 1, 2, 3, 65_535]) }],
    () => [
      'general.type',
      { type: 'string', value: random.pick(['adapter', 'mmproj', 'imatrix', 'model', '']) },
    ],
    () => ['general.alignment', { type: 'uint32', value: random.pick([0, 1, 8, 33, 64, 2 ** 31]) }],
    () => [
      `tokenizer.ggml.${random.pick(['bos', 'eos', 'unknown', 'padding', 'eot', 'seperator', 'fim_pre'])}_token_id`,
      { type: 'uint32', value: random.pick([0, 11, 1999, 2000, 2 ** 31, 2 ** 32 - 1]) },
    ],
    () => [
      `tokenizer.ggml.add_${random.pick(['bos_token', 'eos_token', 'space_prefix', 'sep_token'])}`,
      { type: 'bool', value: random.next() < 0.7 },
    ],
  ];
  const [key, entry] = random.pick(additions)();
  const isTyped =
    entry.type === 'array' && entry.elementType === 'bool' && entry.value instanceof Uint32Array;
  const value = isTyped ? { ...entry, value: new Uint8Array(entry.value.length).fill(1) } : entry;
  return rebuild(seed, `${key} set to ${describe(value)}`, (metadata) => metadata.set(key, value));
}

function describe(entry: GgufValueInput): string {
  return entry.type === 'array'
    ? `${entry.value.length} of ${entry.elementType} ${[...entry.value].slice(0, 2)}`
    : `${entry.type} ${entry.value}`;
}

/** Equal, empty, long and odd tokens, and token types and scores out of range. */
export function editToken(seed: MutationSeed, random: Random): Change {
  const tokens = [...stringsOf(seed, 'tokenizer.ggml.tokens')];
  const id = random.below(tokens.length);
  const other = random.below(tokens.length);
  const setText = (text: string) => (metadata: Metadata) => {
    tokens[id] = text;
    metadata.set('tokenizer.ggml.tokens', { type: 'array', elementType: 'string', value: tokens });
  };
  const setNumber =
    (key: string, elementType: 'int32' | 'float32', value: number) => (metadata: Metadata) => {
      const values = new (elementType === 'int32' ? Int32Array : Float32Array)(tokens.length).fill(1);
      values[id] = value;
      metadata.set(key, { type: 'array', elementType, value: values });
    };
  const type = random.pick([0, 1, 2, 3, 4, 5, 6, 7, -1]);
  const score = random.pick(interestingFloats);
  const [what, change] = random.pick<[string, (metadata: Metadata) => void]>([
    [`token ${id} made equal to ${other}`, setText(tokens[other] ?? '')],
    [`token ${id} emptied`, setText('')],
    [`token ${id} with a zero byte first`, setText('\0abc')],
    [`token ${id} named like an empty one`, setText('[EMPTY_0]')],
    [`token ${id} of 5000 bytes`, setText('x'.repeat(5000))],
    [`token ${id} a newline`, setText('\n')],
    [`token ${id} a space`, setText(' ')],
    [`token ${id} of type ${type}`, setNumber('tokenizer.ggml.token_type', 'int32', type)],
    [`token ${id} with score ${score}`, setNumber('tokenizer.ggml.scores', 'float32', score)],
  ]);
  return rebuild(seed, what, change);
}

function stringsOf(seed: MutationSeed, key: string): Iterable<string> {
  const entry = seed.header.metadata.get(key);
  return entry?.type === 'array' && entry.elementType === 'string' ? entry.value : [];
}

export function resizeArray(seed: MutationSeed, random: Random): Change {
  const arrays = keysOf(seed).filter((key) => seed.header.metadata.get(key)?.type === 'array');
  const key = random.pick(arrays);
  const share = random.pick([0, 0.01, 0.5, 0.999]);
  return rebuild(seed, `${key} cut to ${share} of its length`, (metadata) => {
    const entry = metadata.get(key);
    if (entry?.type === 'array') {
      const value = [...entry.value].slice(0, Math.floor(entry.value.length * share));
      metadata.set(key, {
        ...entry,
        value: entry.elementType === 'bool' ? value.map((bit) => bit !== 0) : value,
      });
    }
  });
}

export function changeTokenizer(seed: MutationSeed, random: Random): Change {
  const model = random.pick([
    'llama',
    'bert',
    'gpt2',
    't5',
    'rwkv',
    'plamo2',
    'test',
    'none',
    'no_vocab',
    'hybriddna',
    'whitespace',
    'gemma4',
    'replit',
  ]);
  const pre = random.pick([
    'default',
    'llama-bpe',
    'chatglm-bpe',
    'tekken',
    'kimi-k2',
    'smollm',
    'superbpe',
    '',
  ]);
  return rebuild(seed, `tokenizer ${model} with pre-tokenizer '${pre}'`, (metadata) => {
    metadata.set('tokenizer.ggml.model', { type: 'string', value: model });
    metadata.set('tokenizer.ggml.pre', { type: 'string', value: pre });
  });
}

/** Other architectures that have tensors of the same names, and some that do not. */
const architectures = [
  'llama',
  'qwen2',
  'qwen2moe',
  'qwen3',
  'gemma',
  'gemma2',
  'gemma3',
  'gemma3n',
  'gemma4',
  'phi3',
  'mistral3',
  'llama4',
  'deci',
  'olmo2',
  'granite',
  'granitehybrid',
  'smollm3',
  'exaone4',
  'starcoder2',
  'bert',
  'nomic-bert-moe',
  't5',
  'mamba',
  'rwkv6',
  'jamba',
  'deepseek2',
  'gpt2',
  'wavtokenizer-dec',
  'clip',
  'gpt-oss',
  'minicpm',
  'lfm2',
  'falcon-h1',
  'nemotron',
  'no-such-architecture',
];

function architectureOf(seed: MutationSeed): string {
  const entry = seed.header.metadata.get('general.architecture');
  return entry?.type === 'string' ? entry.value : '';
}

export function changeArchitecture(seed: MutationSeed, random: Random): Change {
  const before = architectureOf(seed);
  const after = random.pick(architectures);
  return rebuild(seed, `architecture ${after} with all its keys`, (metadata) => {
    const entries = [...metadata];
    metadata.clear();
    for (const [key, entry] of entries) {
      metadata.set(key.startsWith(`${before}.`) ? `${after}.${key.slice(before.length + 1)}` : key, entry);
    }
    metadata.set('general.architecture', { type: 'string', value: after });
  });
}

/** Another data type for one tensor, with all offsets made to fit: well-formed, but perhaps not computable. */
export function changeTensorType(seed: MutationSeed, random: Random): Change {
  const tensor = random.pick(seed.header.tensors);
  const type = random.pick(
    tensorTypes.filter(({ blockSize }) => (tensor.dimensions[0] ?? 1) % blockSize === 0),
  );
  const tensors = seed.header.tensors.map((one) => (one === tensor ? { ...one, type: type.name } : one));
  return {
    what: `tensor ${tensor.name} of type ${type.name}`,
    ...encode(seed, new Map(seed.header.metadata), tensors),
  };
}

export function changeDimensions(seed: MutationSeed, random: Random): Change {
  const tensor = random.pick(seed.header.tensors);
  const [first = 1, second = 1] = tensor.dimensions;
  const dimensions = random.pick([
    [second, first],
    [first, second, 1, 1],
    [first, second, 2],
    [first],
    [first, 0],
    [first * 2, Math.ceil(second / 2)],
    [0],
    [],
  ]);
  const tensors = seed.header.tensors.map((one) => (one === tensor ? { ...one, dimensions } : one));
  return {
    what: `tensor ${tensor.name} with dimensions ${dimensions.join(' x ')}`,
    ...encode(seed, new Map(seed.header.metadata), tensors),
  };
}

export function removeTensor(seed: MutationSeed, random: Random): Change {
  const tensor = random.pick(seed.header.tensors);
  const tensors = seed.header.tensors.filter((one) => one !== tensor);
  return { what: `tensor ${tensor.name} removed`, ...encode(seed, new Map(seed.header.metadata), tensors) };
}
