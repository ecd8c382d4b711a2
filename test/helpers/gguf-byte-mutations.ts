import type { HeaderField } from './gguf-fields.js';
import { interestingFloats, interestingIntegers } from './gguf-interesting-values.js';
import type { Change } from './gguf-mutations.js';
import type { Random } from './gguf-random.js';
import type { MutationSeed } from './gguf-seeds.js';

/** Copies the header, so that one byte of it may change. */
function headerOf(seed: MutationSeed): Buffer {
  const end = seed.fields.at(-1);
  const length =
    end === undefined ? seed.bytes.length : Math.max(end.start + end.size, seed.header.dataOffset);
  return Buffer.from(seed.bytes.subarray(0, length));
}

/** Fields weigh the same however long they are: most bytes of a header are tokens, and few of its fields. */
export function flipByte(seed: MutationSeed, random: Random): Change {
  const header = headerOf(seed);
  const field = random.pick(seed.fields.filter(({ size }) => size > 0));
  const position = field.start + random.below(field.size);
  const value = random.next() < 0.5 ? (header[position] ?? 0) ^ (1 << random.below(8)) : random.below(256);
  header[position] = value;
  return { what: `byte ${position} (${field.kind} of ${field.name}) = ${value}`, header };
}

/** Counts, lengths, types, dimensions and offsets at their bounds. */
export function editInteger(seed: MutationSeed, random: Random): Change {
  const kinds = new Set<HeaderField['kind']>(['count', 'length', 'type', 'dimension', 'offset']);
  const header = headerOf(seed);
  const field = random.pick(seed.fields.filter(({ kind }) => kinds.has(kind)));
  const value = integerNear(readInteger(header, field), random);
  writeInteger(header, field, value);
  return { what: `${field.kind} of ${field.name} = ${value}`, header };
}

/** Values of metadata at their bounds, in their own type. */
export function editValue(seed: MutationSeed, random: Random): Change {
  const header = headerOf(seed);
  const field = random.pick(seed.fields.filter(({ kind }) => kind === 'value'));
  const type = seed.header.metadata.get(field.name)?.type;
  if (type === 'float32') {
    const value = random.pick(interestingFloats);
    header.writeFloatLE(value, field.start);
    return { what: `${field.name} = ${value}`, header };
  }
  const value = integerNear(readInteger(header, field), random);
  writeInteger(header, field, value);
  return { what: `${field.name} = ${BigInt.asUintN(8 * field.size, value)}`, header };
}

function readInteger(bytes: Buffer, { start, size }: HeaderField): bigint {
  return size === 8 ? bytes.readBigUInt64LE(start) : BigInt(bytes.readUIntLE(start, size));
}

function writeInteger(bytes: Buffer, { start, size }: HeaderField, value: bigint): void {
  const wide = Buffer.alloc(8);
  wide.writeBigUInt64LE(BigInt.asUintN(64, value));
  wide.copy(bytes, start, 0, size);
}

function integerNear(value: bigint, random: Random): bigint {
  const choices = [value + 1n, value - 1n, value * 2n, value / 2n, BigInt(random.below(2 ** 16))];
  return random.next() < 0.3 ? random.pick(choices) : random.pick(interestingIntegers);
}

/** A text of metadata (architecture, tokenizer, template) with other bytes of the same length. */
export function editText(seed: MutationSeed, random: Random): Change {
  const header = headerOf(seed);
  const field = random.pick(seed.fields.filter(({ kind, size }) => kind === 'text' && size > 0));
  const fill = random.pick([0x00, 0x20, 0x7b, 0xff]);
  const start = field.start + random.below(field.size);
  header.fill(fill, start, field.start + field.size);
  return { what: `${field.name} filled with ${fill} from its byte ${start - field.start}`, header };
}

export function truncate(seed: MutationSeed, random: Random): Change {
  const header = headerOf(seed);
  const field = random.pick(seed.fields);
  const sizes = [
    field.start,
    field.start + field.size,
    random.below(seed.bytes.length),
    seed.bytes.length - 1,
  ];
  const fileSize = random.pick(sizes);
  return { what: `cut off at ${fileSize} of ${seed.bytes.length}`, header, fileSize };
}
