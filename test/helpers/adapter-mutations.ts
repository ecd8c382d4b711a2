/** Damaged and odd adapters, made from a well-formed one: what the mutations of models do, and what only adapters have. */
import { tensorTypes } from '../../lib/gguf/tensor-types.js';
import type { GgufTensorInfo } from '../../lib/gguf/types.js';
import type { GgufValueInput } from '../../lib/gguf/write.js';
import { interestingFloats } from './gguf-interesting-values.js';
import { encode } from './gguf-model-mutations.js';
import { type Change, type Mutation, mutate } from './gguf-mutations.js';
import { Random } from './gguf-random.js';
import type { MutationSeed } from './gguf-seeds.js';

type Tensor = Pick<GgufTensorInfo, 'name' | 'dimensions' | 'type'>;
type Metadata = Map<string, GgufValueInput>;

/** Makes mutation number `index` of an adapter; always the same one. About half of them are those of models. */
export function mutateAdapter(seed: MutationSeed, index: number): Mutation {
  const random = new Random(index * 0x9e3779b1 + 5);
  if (random.next() < 0.5) return mutate(seed, index);
  const change = random.pick(changes)(seed, random);
  return {
    name: `${seed.name} #${index}: ${change.what}`,
    header: change.header,
    fileSize: change.fileSize ?? change.header.length,
  };
}

function withTensors(seed: MutationSeed, what: string, change: (tensor: Tensor) => Tensor): Change {
  const metadata: Metadata = new Map(seed.header.metadata);
  return { what, ...encode(seed, metadata, seed.header.tensors.map(change)) };
}

function withKey(seed: MutationSeed, key: string, value: GgufValueInput): Change {
  const metadata: Metadata = new Map(seed.header.metadata);
  metadata.set(key, value);
  const what = `${key} = ${value.type} ${'value' in value ? String(value.value) : ''}`;
  return { what, ...encode(seed, metadata, seed.header.tensors) };
}

/** The tensor of the model that a tensor of the adapter belongs to. */
function baseOf(name: string): string {
  return name.replace(/\.lora_[ab]$/, '');
}

function renameTensor(seed: MutationSeed, random: Random): Change {
  const { name } = random.pick(seed.header.tensors);
  const other = random.pick(seed.header.tensors).name;
  const renamed = random.pick([
    baseOf(name),
    `${name}.lora_a`,
    name.replace('.lora_a', '.lora_b'),
    name.replace('.lora_', '.LORA_'),
    name.replace('blk.0', 'blk.1'),
    `${baseOf(name)}_norm.weight`,
    `${random.pick(['output_norm.weight', 'blk.0.attn_norm.weight', 'token_embd.weight', 'output.weight'])}${name.slice(-7)}`,
    `${baseOf(other)}${name.slice(-7)}`,
    name.slice(-7),
  ]);
  return withTensors(seed, `tensor ${name} renamed to ${renamed}`, (tensor) =>
    tensor.name === name ? { ...tensor, name: renamed } : tensor,
  );
}

/** Both matrices of a pair with another rank, or with more dimensions: well-formed, but perhaps not to be multiplied. */
function reshapePair(seed: MutationSeed, random: Random): Change {
  const base = baseOf(random.pick(seed.header.tensors).name);
  const rank = random.pick([0, 1, 2, 3, 31, 64, 256]);
  const more = random.pick([[], [], [1], [2], [1, 1], [1, 3]]);
  const only = random.pick(['.lora_a', '.lora_b', '']);
  return withTensors(
    seed,
    `${base}${only} with rank ${rank} and ${more.length} more dimensions`,
    (tensor) => {
      if (baseOf(tensor.name) !== base || !tensor.name.endsWith(only)) return tensor;
      const [first = 1, second = 1] = tensor.dimensions;
      const isRankFirst = tensor.name.endsWith('.lora_b') || base.startsWith('token_embd');
      return { ...tensor, dimensions: [...(isRankFirst ? [rank, second] : [first, rank]), ...more] };
    },
  );
}

function swapHalves(seed: MutationSeed, random: Random): Change {
  const base = baseOf(random.pick(seed.header.tensors).name);
  const swapped = (name: string) => `${base}.lora_${name.endsWith('a') ? 'b' : 'a'}`;
  return withTensors(seed, `A and B of ${base} swapped`, (tensor) =>
    baseOf(tensor.name) === base ? { ...tensor, name: swapped(tensor.name) } : tensor,
  );
}

function retypePair(seed: MutationSeed, random: Random): Change {
  const base = baseOf(random.pick(seed.header.tensors).name);
  const type = random.pick(tensorTypes.filter(({ blockSize }) => blockSize <= 32));
  const columns = Math.max(4, type.blockSize);
  return withTensors(seed, `${base} of type ${type.name}`, (tensor) => {
    if (baseOf(tensor.name) !== base) return tensor;
    const [first = 1, second = 1] = tensor.dimensions;
    const dimensions = first < columns ? [columns, second] : [first, Math.max(second, columns)];
    return { ...tensor, type: type.name, dimensions };
  });
}

function changeKind(seed: MutationSeed, random: Random): Change {
  const key = random.pick(['general.type', 'adapter.type', 'general.architecture']);
  return withKey(
    seed,
    key,
    random.pick<GgufValueInput>([
      { type: 'uint32', value: 1 },
      { type: 'bool', value: true },
      { type: 'array', elementType: 'string', value: ['adapter'] },
      { type: 'string', value: '' },
      { type: 'string', value: 'adapter\0' },
      { type: 'string', value: random.pick(['lora', 'adapter', 'llama', 'qwen2', 'control_vector']) },
    ]),
  );
}

function changeAlpha(seed: MutationSeed, random: Random): Change {
  const value = random.pick(interestingFloats);
  return withKey(
    seed,
    'adapter.lora.alpha',
    random.pick<GgufValueInput>([
      { type: 'float32', value },
      { type: 'float32', value },
      { type: 'float64', value },
      { type: 'uint32', value: 16 },
      { type: 'string', value: '16' },
      { type: 'array', elementType: 'float32', value: [16] },
    ]),
  );
}

function changeInvocation(seed: MutationSeed, random: Random): Change {
  const elementType = random.pick(['uint32', 'int32', 'uint64', 'uint8', 'float32'] as const);
  const value = random.pick([[], [0], [1, 2, 3], [255]]);
  return withKey(seed, 'adapter.alora.invocation_tokens', { type: 'array', elementType, value });
}

const changes: readonly ((seed: MutationSeed, random: Random) => Change)[] = [
  renameTensor,
  renameTensor,
  reshapePair,
  reshapePair,
  reshapePair,
  swapHalves,
  retypePair,
  retypePair,
  changeKind,
  changeKind,
  changeAlpha,
  changeAlpha,
  changeInvocation,
];
