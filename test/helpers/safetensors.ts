import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A tensor to write to a safetensors file. */
export interface TensorToWrite {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The bytes of a safetensors file. */
export function encodeSafetensors(tensors: readonly TensorToWrite[]): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const { name, type, shape, bytes } of tensors) {
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + bytes.byteLength] };
    offset += bytes.byteLength;
  }
  return encodeSafetensorsParts(
    header,
    tensors.map(({ bytes }) => bytes),
  );
}

/** The same with a header of any content. */
export function encodeSafetensorsParts(header: unknown, parts: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...parts]);
}

/** Writes tensors to a folder, as one file or as several with an index. */
export async function writeShards(
  folder: string,
  tensors: readonly TensorToWrite[],
  shardCount = 1,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (shardCount === 1) {
    await writeFile(join(folder, 'model.safetensors'), encodeSafetensors(tensors));
    return;
  }
  const weightMap: Record<string, string> = {};
  const perShard = Math.ceil(tensors.length / shardCount);
  for (let shard = 0; shard < shardCount; shard++) {
    const part = tensors.slice(shard * perShard, (shard + 1) * perShard);
    const name = `model-${numbered(shard + 1)}-of-${numbered(shardCount)}.safetensors`;
    for (const tensor of part) weightMap[tensor.name] = name;
    await writeFile(join(folder, name), encodeSafetensors(part));
  }
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
}

function numbered(count: number): string {
  return String(count).padStart(5, '0');
}
