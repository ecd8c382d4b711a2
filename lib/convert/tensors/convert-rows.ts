import { invalidArgument } from '../../arguments.js';
import { type TensorType, tensorByteSize, tensorTypeByName } from '../../gguf/tensor-types.js';
import { getAddon } from '../../native/addon.js';

/** Names of the types that rows can be converted from: floats, and all blocks that ggml can read. */
function typeOf(name: string): TensorType {
  const type = tensorTypeByName(name);
  if (type === undefined) throw invalidArgument('type', 'the name of a tensor type', name);
  return type;
}

/** Bytes of so many rows in a type. */
export function rowsByteSize(type: string, rowLength: number, rowCount: number): number {
  return tensorByteSize(typeOf(type), [rowLength, rowCount]);
}

/**
 * Converts whole rows of a tensor into another type, off the JavaScript thread. Numbers are rounded to the nearest,
 * and Q8_0 blocks are those of ggml's reference, which are also those of convert_hf_to_gguf.py.
 * @param sourceType name of a type as in GGUF, such as `BF16` or `Q8_0`.
 * @param targetType another one, which needs no importance matrix.
 * @param rowLength elements of a row: a multiple of the block sizes of both types.
 */
export async function convertTensorRows(
  sourceType: string,
  targetType: string,
  bytes: Uint8Array,
  rowLength: number,
): Promise<Uint8Array> {
  const source = typeOf(sourceType);
  const rowCount = bytes.byteLength / tensorByteSize(source, [rowLength]);
  const target = Buffer.allocUnsafeSlow(Math.floor(rowsByteSize(targetType, rowLength, rowCount)));
  await convertTensorRowsInto(sourceType, targetType, bytes, target, rowLength);
  return target;
}

/** As {@link convertTensorRows}, into memory that is there already and has the right size, on up to so many threads. */
export async function convertTensorRowsInto(
  sourceType: string,
  targetType: string,
  source: Uint8Array,
  target: Uint8Array,
  rowLength: number,
  threads = 1,
): Promise<void> {
  const [sourceId, targetId] = [typeOf(sourceType).id, typeOf(targetType).id];
  await getAddon().convertTensorRows(sourceId, targetId, source, target, rowLength, threads);
}
