import { convertTensorRows, convertTensorRowsInto, rowsByteSize } from './convert-rows.js';
import { type BufferRole, PieceMemory } from './piece-memory.js';
import type { SourceTensor } from './source-tensor.js';
import type { TensorChange } from './tensor-plan.js';

/** A tensor that is read, changed and converted piece by piece. */
export interface Production {
  readonly source: SourceTensor;
  readonly change: TensorChange | undefined;
  readonly targetType: string;
}

/** Rows of the source that are worked on together. */
interface Piece {
  readonly firstRow: number;
  readonly rowCount: number;
}

/** Long enough that calls cost nothing, short enough that a few of them are little memory. */
const pieceBytes = 8 << 20;

/**
 * The bytes of a tensor in its new type. While one piece is written, the next one is made; a piece is overwritten after
 * the next one was taken.
 */
export async function* produceTensor(
  production: Production,
  memory = new PieceMemory(),
): AsyncGenerator<Uint8Array> {
  const pieces = cut(production);
  const make = (index: number) => {
    const piece = pieces[index];
    return piece === undefined
      ? undefined
      : makePiece(production, piece, (role, length) => memory.take(index, role, length));
  };
  let next = make(0);
  // A failure of the piece after the one that fails to be written is nobody's.
  next?.catch(() => {});
  for (let index = 0; next !== undefined; index++) {
    const made: Uint8Array = await next;
    next = make(index + 1);
    next?.catch(() => {});
    yield made;
  }
}

/** Length of a row and number of rows. Vectors whose elements are moved are as many rows of one element. */
function rowsOf({ source, change }: Production): { rowLength: number; rowCount: number } {
  const { shape } = source;
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  const movesRows = change !== undefined && change.kind !== 'add';
  const rowLength = shape.length === 1 && movesRows ? 1 : (shape.at(-1) ?? 1);
  return { rowLength, rowCount: rowLength === 0 ? 0 : elements / rowLength };
}

function cut(production: Production): Piece[] {
  const { source, change } = production;
  const { rowLength, rowCount } = rowsOf(production);
  const { first, count } = change?.kind === 'keep-rows' ? change : { first: 0, count: rowCount };
  // A piece is whole heads, where rows move within them.
  const unit = change?.kind === 'pair-rotated-rows' ? rowCount / change.heads : 1;
  const unitBytes = rowsByteSize(source.type, rowLength, unit);
  const rows = unit * Math.max(1, Math.floor(pieceBytes / Math.max(1, unitBytes)));
  const pieces: Piece[] = [];
  for (let row = 0; row < count; row += rows) {
    pieces.push({ firstRow: first + row, rowCount: Math.min(rows, count - row) });
  }
  return pieces;
}

type TakeBuffer = (role: BufferRole, length: number) => Buffer;

async function makePiece(production: Production, piece: Piece, take: TakeBuffer): Promise<Uint8Array> {
  const { source, change, targetType } = production;
  const { rowLength, rowCount: allRows } = rowsOf(production);
  const rowBytes = rowsByteSize(source.type, rowLength, 1);
  let bytes: Uint8Array = take('read', piece.rowCount * rowBytes);
  await source.read(piece.firstRow * rowBytes, bytes);
  if (change?.kind === 'pair-rotated-rows') {
    bytes = pairRotatedRows(bytes, rowBytes, allRows / change.heads, take('move', bytes.byteLength));
  }
  if (change?.kind === 'add') return addToEach(bytes, source.type, targetType, rowLength, change.value);
  if (source.type === targetType) return bytes;
  const target = take('convert', rowsByteSize(targetType, rowLength, piece.rowCount));
  await convertTensorRowsInto(source.type, targetType, bytes, target, rowLength);
  return target;
}

/** Transformers turns element i together with i + half of a head, llama.cpp 2i with 2i + 1. */
function pairRotatedRows(bytes: Uint8Array, rowBytes: number, headRows: number, target: Buffer): Uint8Array {
  const half = headRows / 2;
  for (let head = 0; head < bytes.byteLength; head += headRows * rowBytes) {
    for (let row = 0; row < headRows; row++) {
      const from = head + ((row % 2) * half + (row >> 1)) * rowBytes;
      target.set(bytes.subarray(from, from + rowBytes), head + row * rowBytes);
    }
  }
  return target;
}

/** The sum is rounded to the type of the checkpoint where that is F16, as PyTorch does; BF16 became F32 before. */
async function addToEach(
  bytes: Uint8Array,
  sourceType: string,
  targetType: string,
  rowLength: number,
  value: number,
): Promise<Uint8Array> {
  const floats = await convertTensorRows(sourceType, 'F32', bytes, rowLength);
  const values = new Float32Array(floats.buffer, floats.byteOffset, floats.byteLength / 4);
  for (let index = 0; index < values.length; index++) values[index] = (values[index] as number) + value;
  if (sourceType !== 'F16') return convertTensorRows('F32', targetType, floats, rowLength);
  const sums = await convertTensorRows('F32', 'F16', floats, rowLength);
  return convertTensorRows('F16', targetType, sums, rowLength);
}
