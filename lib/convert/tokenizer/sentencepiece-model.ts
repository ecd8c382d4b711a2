import { invalidCheckpoint } from '../checkpoint/index.js';

/** Kinds of pieces, numbered as in the file and in GGUF. Source: sentencepiece_model.proto. */
export const pieceTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A piece of a SentencePiece vocabulary. */
export interface SentencePiece {
  readonly text: Buffer;
  readonly score: number;
  /** One of {@link pieceTypes}. */
  readonly type: number;
}

/** Fields of `ModelProto` and `SentencePiece`. */
const fields = { pieces: 1, text: 1, score: 2, type: 3 } as const;

/**
 * The pieces of a tokenizer.model, a protobuf message.
 * @throws ConversionError CHECKPOINT_INVALID.
 */
export function readSentencePieces(path: string, bytes: Buffer): SentencePiece[] {
  const pieces: SentencePiece[] = [];
  for (const field of readFields(path, bytes)) {
    if (field.number === fields.pieces && field.bytes !== undefined)
      pieces.push(readPiece(path, field.bytes));
  }
  if (pieces.length === 0) throw invalidCheckpoint(path, 'it holds no pieces. Download the file again.');
  return pieces;
}

function readPiece(path: string, bytes: Buffer): SentencePiece {
  let text: Buffer = Buffer.alloc(0);
  let score = 0;
  let type: number = pieceTypes.normal;
  for (const field of readFields(path, bytes)) {
    if (field.number === fields.text && field.bytes !== undefined) text = field.bytes;
    if (field.number === fields.score && field.bytes?.length === 4) score = field.bytes.readFloatLE();
    if (field.number === fields.type && field.integer !== undefined) type = field.integer;
  }
  return { text, score, type };
}

interface Field {
  readonly number: number;
  /** Of a number of variable length. */
  readonly integer?: number;
  /** Of everything else. */
  readonly bytes?: Buffer;
}

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Source: https://protobuf.dev/programming-guides/encoding. */
function* readFields(path: string, bytes: Buffer): Generator<Field> {
  let position = 0;
  const damaged = () =>
    invalidCheckpoint(path, 'it is no SentencePiece model, or damaged. Download it again.');
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[position++];
      if (byte === undefined) throw damaged();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw damaged();
  };
  const take = (length: number) => {
    if (length > bytes.length - position) throw damaged();
    position += length;
    return bytes.subarray(position - length, position);
  };
  while (position < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === wireTypes.varint) yield { number, integer: varint() };
    else if (wireType === wireTypes.bytes) yield { number, bytes: take(varint()) };
    else if (wireType === wireTypes.fixed32) yield { number, bytes: take(4) };
    else if (wireType === wireTypes.fixed64) yield { number, bytes: take(8) };
    else throw damaged();
  }
}
