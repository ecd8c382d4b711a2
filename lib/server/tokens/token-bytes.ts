import { isUtf8 } from 'node:buffer';
import { GgufStringArray, type Model, readGgufHeader } from '../../index.js';

/** The bytes of tokens whose text alone is no text: parts of a character, each in a token of its own. */
type ReadBytes = (token: number) => Uint8Array | undefined;

/** Read once for each model, when the first such token turns up. */
const readers = new WeakMap<Model, Promise<ReadBytes>>();

/**
 * The character that stands for each byte in vocabularies of the GPT-2 kind: printable ones stand for themselves, the
 * others for those from U+0100 on. Source: https://github.com/openai/gpt-2/blob/master/src/encoder.py
 */
function byteByCharacter(): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  let moved = 0x100;
  for (let byte = 0; byte < 0x100; byte++) {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    bytes.set(String.fromCodePoint(isPrintable ? byte : moved++), byte);
  }
  return bytes;
}

/** Of vocabularies that spell a byte as `<0xC3>`, as SentencePiece does. */
function readSpelledByte(text: string): Uint8Array | undefined {
  const [, digits] = /^<0x([0-9A-F]{2})>$/.exec(text) ?? [];
  return digits === undefined ? undefined : Uint8Array.of(Number.parseInt(digits, 16));
}

async function openVocabulary(path: string): Promise<ReadBytes> {
  const { metadata } = await readGgufHeader(path);
  const list = metadata.get('tokenizer.ggml.tokens');
  const texts = list?.type === 'array' ? list.value : undefined;
  if (!(texts instanceof GgufStringArray)) return () => undefined;
  const bytes = byteByCharacter();
  return (token) => {
    const text = texts.at(token) ?? '';
    const spelled = readSpelledByte(text);
    if (spelled !== undefined) return spelled;
    const found = [...text].map((character) => bytes.get(character));
    return found.includes(undefined) ? undefined : Uint8Array.from(found as number[]);
  };
}

/** What a token stands for: its text, or its bytes if these alone are no text. */
export type TokenPiece = string | Uint8Array;

/**
 * What each token stands for.
 * @throws InvalidArgumentError INVALID_TOKEN for an id outside the vocabulary.
 */
export async function readPieces(model: Model, tokens: ArrayLike<number>): Promise<TokenPiece[]> {
  const lists = Array.from(tokens, (token) => Int32Array.of(token));
  const texts = lists.length === 0 ? [] : await model.detokenize(lists, { renderSpecial: true });
  if (!texts.some((text) => text.includes('\ufffd'))) return texts;
  let reader = readers.get(model);
  if (reader === undefined) {
    reader = openVocabulary(model.path).catch(() => () => undefined);
    readers.set(model, reader);
  }
  const bytesOf = await reader;
  return texts.map((text, index) => {
    const bytes = text.includes('\ufffd') ? bytesOf(tokens[index] as number) : undefined;
    return bytes === undefined || isUtf8(bytes) ? text : bytes;
  });
}

/** The bytes of a piece. */
export function bytesOfPiece(piece: TokenPiece): number[] {
  return typeof piece === 'string' ? [...Buffer.from(piece)] : [...piece];
}
