import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type GgufArray, type GgufValue, readGgufHeader } from '../../lib/index.js';

/** The content of a GGUF file, short: scalars as they are, everything long as a digest. */
export interface GgufDigest {
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Type, dimensions and digest of each tensor, in one text. */
  readonly tensors: Readonly<Record<string, string>>;
}

/** Makes the digest that scripts/convert-references/record.py records. */
export async function digestGguf(path: string): Promise<GgufDigest> {
  const header = await readGgufHeader(path);
  const metadata: Record<string, unknown> = {};
  for (const [key, value] of header.metadata) metadata[key] = digestValue(value);
  const tensors: Record<string, string> = {};
  const file = await open(path);
  try {
    for (const { name, type, dimensions, offset, byteSize } of header.tensors) {
      const bytes = Buffer.alloc(byteSize);
      await file.read(bytes, 0, byteSize, header.dataOffset + offset);
      tensors[name] = `${type} [${dimensions.join(', ')}] ${digestOf(bytes)}`;
    }
  } finally {
    await file.close();
  }
  return { metadata, tensors };
}

function digestValue(value: GgufValue): unknown {
  if (value.type !== 'array') return `${value.type} ${JSON.stringify(value.value)}`;
  return `${value.elementType}[${value.value.length}] ${digestOf(bytesOf(value))}`;
}

function bytesOf(array: GgufArray): Buffer {
  if (array.elementType !== 'string') {
    return Buffer.from(array.value.buffer, array.value.byteOffset, array.value.byteLength);
  }
  const parts = Array.from({ length: array.value.length }, (_, index) => {
    const text = array.value.bytesAt(index) ?? Buffer.alloc(0);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([length, text]);
  });
  return Buffer.concat(parts);
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
