import { convertTensorRows, convertTensorRowsInto, rowsByteSize } from './convert-rows.js';
import type { MakePiece } from './piece-line.js';
import type { BufferRole, PieceMemory } from './piece-memory.js';
import type { SourceTensor } from './source-tensor.js';
import type { TensorChange } from './tensor-plan.js';

/** A tensor that is read, changed and converted piece by piece. */
export interface Production {
  readonly source: SourceTensor;
  readonly change: TensorChange | undefined;
  readonly targetType: string;
  /** Most threads that convert a piece. */
  readonly threads: number;
}

/** Rows of the source that are worked on together. */
interface Piece {
  readonly firstRow: number;
  readonly rowCount: number;
}

/** Long enough that calls cost little, short enough to be written while it is still in the processor's cache. */
const pieceBytes = 1 << 20;
/** Of layers that were quantized, whose rows are work for all threads. */
const layerPieceBytes = 8 << 20;

/** The pieces of a tensor in its new type, in their order: each is read, changed and converted when it is made. */
export function piecesOf(production: Production, memory: PieceMemory): MakePiece[] {
  return cut(production).map(
    (piece) => (slot) => makePiece(production, piece, (role, length) => memory.take(slot, role, length)),
  );
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
  const bytes = source.result === undefined ? pieceBytes : layerPieceBytes;
  const rows = unit * Math.max(1, Math.floor(bytes / Math.max(1, unitBytes)));
  const pieces: Piece[] = [];
  for (let row = 0; row < count; row += rows) {
    pieces.push({ firstRow: first + row, rowCount: Math.min(rows, count - row) });
  }
  return pieces;
}

type TakeBuffer = (role: BufferRole, length: number) => Buffer;

async function makePiece(production: Production, piece: Piece, take: TakeBuffer): Promise<Uint8Array> {
  const { source, change, targetType, threads } = production;
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
  await convertTensorRowsInto(source.type, targetType, bytes, target, rowLength, threads);
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
