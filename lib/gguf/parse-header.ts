import { ByteCursor, MoreBytesNeeded } from './byte-cursor.js';
import { decodeElements, decodeScalar, elementBytes } from './decode-values.js';
import { describeContent } from './describe-content.js';
import { invalidModel, unsupportedModel } from './invalid-model.js';
import { type ByteHolder, GgufStringArray } from './string-array.js';
import { removedTensorTypeName, type TensorType, tensorByteSize, tensorTypeById } from './tensor-types.js';
import {
  type GgufElementType,
  type GgufHeader,
  type GgufTensorInfo,
  type GgufValue,
  type GgufValueType,
  ggufValueTypes,
} from './types.js';

/** `GGML_MAX_NAME` and `GGML_MAX_DIMS` in ggml.h: longer names and more dimensions are refused by llama.cpp. */
const maxTensorNameBytes = 63;
const maxDimensions = 4;
/** The format allows keys of up to 65 535 bytes. */
const maxKeyBytes = 65_535;
/** Least bytes of a metadata entry (empty key, type, one byte) and of a tensor entry without dimensions. */
const minEntryBytes = 13;
const minTensorBytes = 24;
/** llama.cpp compares each key and each tensor name with all before it, so a count without bound is a stall. */
const maxEntries = 65_536;
/** Each string becomes an object of 32 bytes in llama.cpp. The largest vocabularies have 262 144 tokens. */
const maxArrayStrings = 4_194_304;
/** `GGUF_DEFAULT_ALIGNMENT` in gguf.h. */
const defaultAlignment = 32;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Turns the first bytes of a GGUF file into a header. Every count and length is held against the size of the file
 * before anything is allocated. Follows `gguf_init_from_reader` in ggml/src/gguf.cpp.
 */
export class HeaderParser {
  readonly #path: string;
  readonly #holder: ByteHolder;
  readonly #cursor: ByteCursor;
  readonly #metadata = new Map<string, GgufValue>();
  readonly #tensors: GgufTensorInfo[] = [];
  readonly #tensorNames = new Set<string>();
  #version = 0;
  #tensorCount = 0;
  #entryCount = 0;

  constructor(path: string, fileSize: number, holder: ByteHolder) {
    this.#path = path;
    this.#holder = holder;
    this.#cursor = new ByteCursor(holder, fileSize, (needed, what) =>
      invalidModel(
        path,
        `it is truncated: ${what} needs at least ${needed} bytes, the file has ${fileSize}. Download it again.`,
        { neededBytes: needed, fileSize },
      ),
    );
  }

  /**
   * Reads on as far as the bytes go. Returns the header, or how many bytes of the file it must have to go on; call
   * it again with at least so many in the holder.
   */
  advance(): GgufHeader | number {
    const cursor = this.#cursor;
    let lastGood = cursor.position;
    try {
      if (this.#version === 0) {
        this.#readPreamble();
        lastGood = cursor.position;
      }
      while (this.#metadata.size < this.#entryCount) {
        this.#readEntry();
        lastGood = cursor.position;
      }
      while (this.#tensors.length < this.#tensorCount) {
        this.#readTensor();
        lastGood = cursor.position;
      }
    } catch (error) {
      if (error instanceof MoreBytesNeeded) {
        cursor.position = lastGood;
        return error.end;
      }
      throw error;
    }
    return this.#finish();
  }

  /** How many bytes of the file were parsed. */
  get parsedBytes(): number {
    return this.#cursor.position;
  }

  #readPreamble(): void {
    const cursor = this.#cursor;
    const magic = this.#holder.bytes.toString('latin1', 0, 4);
    if (magic !== 'GGUF') {
      throw invalidModel(this.#path, describeContent(this.#holder.bytes, cursor.fileSize), { magic });
    }
    cursor.take(4, 'the magic number');
    const version = cursor.uint32('the format version');
    this.#checkVersion(version);
    const tensorCount = cursor.uint64('the number of tensors');
    const entryCount = cursor.uint64('the number of metadata entries');
    this.#entryCount = this.#checkCount(entryCount, minEntryBytes, 'metadata entries');
    this.#tensorCount = this.#checkCount(tensorCount, minTensorBytes, 'tensors');
    this.#version = version;
  }

  #checkVersion(version: number): void {
    if (version === 2 || version === 3) {
      return;
    }
    if (version === 1) {
      throw unsupportedModel(
        this.#path,
        'it has version 1 of the GGUF format, which ended in 2023. Convert the original model again.',
        { version },
      );
    }
    if ((version & 0xffff) === 0 && version !== 0) {
      throw unsupportedModel(
        this.#path,
        'it is a big-endian GGUF file, made for another kind of processor. Get the little-endian one.',
        { version },
      );
    }
    const reason = `it says it has version ${version} of the GGUF format; 2 and 3 can be read`;
    throw version > 3 && version < 100
      ? unsupportedModel(this.#path, `${reason}. A newer version of this package may read it.`, { version })
      : invalidModel(this.#path, `${reason}. The file is damaged; download it again.`, { version });
  }

  #checkCount(count: bigint, minBytes: number, what: string): number {
    const room = Math.floor(this.#cursor.remaining / minBytes);
    if (count > BigInt(room)) {
      throw this.#damaged(
        `it announces ${count} ${what}, but its ${this.#cursor.fileSize} bytes have room for ${room} at most`,
      );
    }
    if (count > BigInt(maxEntries)) {
      throw this.#damaged(`it announces ${count} ${what}; more than ${maxEntries} are not plausible`);
    }
    return Number(count);
  }

  #readEntry(): void {
    const index = this.#metadata.size;
    const key = this.#readName(`the key of metadata entry ${index}`, maxKeyBytes);
    if (key === '') {
      throw this.#damaged(`metadata entry ${index} has an empty key`);
    }
    if (this.#metadata.has(key)) {
      throw this.#damaged(`the metadata key ${quoted(key)} occurs twice`);
    }
    const type = this.#readValueType(key);
    this.#metadata.set(
      key,
      type === 'array' ? this.#readArray(key) : this.#readScalar(type, `the value of ${quoted(key)}`),
    );
  }

  #readValueType(key: string): GgufValueType {
    const number = this.#cursor.uint32(`the type of ${quoted(key)}`);
    const type = ggufValueTypes[number];
    if (type === undefined) {
      throw this.#damaged(`the metadata key ${quoted(key)} has the unknown value type ${number}`);
    }
    return type;
  }

  #readScalar(type: Exclude<GgufValueType, 'array'>, what: string): GgufValue {
    const cursor = this.#cursor;
    const { holder } = cursor;
    if (type === 'string') {
      const { start, end } = cursor.string(what);
      return { type, value: holder.bytes.toString('utf8', start, end) };
    }
    const start = cursor.take(elementBytes[type], what);
    return decodeScalar(type, holder.bytes, start);
  }

  #readArray(key: string): GgufValue {
    const cursor = this.#cursor;
    const elementType = this.#readValueType(key);
    if (elementType === 'array') {
      throw unsupportedModel(this.#path, `the metadata key ${quoted(key)} is an array of arrays.`, { key });
    }
    const count = cursor.uint64(`the length of the array ${quoted(key)}`);
    const minBytes = elementType === 'string' ? 8 : elementBytes[elementType];
    if (count * BigInt(minBytes) > BigInt(cursor.remaining)) {
      throw this.#damaged(
        `the array ${quoted(key)} announces ${count} elements of at least ${minBytes} bytes, but only ` +
          `${cursor.remaining} bytes follow`,
      );
    }
    if (elementType === 'string' && count > BigInt(maxArrayStrings)) {
      throw this.#damaged(
        `the array ${quoted(key)} announces ${count} strings; more than ${maxArrayStrings} are not plausible`,
      );
    }
    return this.#readElements(elementType, Number(count), `the array ${quoted(key)}`);
  }

  #readElements(elementType: GgufElementType, count: number, what: string): GgufValue {
    const cursor = this.#cursor;
    if (elementType === 'string') {
      cursor.requireNext(8 * count, what);
      const value = new GgufStringArray(this.#holder, cursor.strings(count, what));
      return { type: 'array', elementType, value };
    }
    const start = cursor.take(count * elementBytes[elementType], what);
    return decodeElements(elementType, this.#holder.bytes.subarray(start, cursor.position));
  }

  #readTensor(): void {
    const cursor = this.#cursor;
    const index = this.#tensors.length;
    const name = this.#readName(`the name of tensor ${index}`, maxTensorNameBytes);
    if (this.#tensorNames.has(name)) {
      throw this.#damaged(`the tensor ${quoted(name)} occurs twice`);
    }
    const what = `the description of tensor ${quoted(name)}`;
    const dimensions = this.#readDimensions(name, what);
    const type = this.#readTensorType(name, what);
    const byteSize = this.#checkTensorSize(name, type, dimensions);
    const offset = cursor.uint64(what);
    if (offset > BigInt(cursor.fileSize)) {
      throw this.#damaged(
        `the data of tensor ${quoted(name)} starts at ${offset}, past the end of the file at ${cursor.fileSize}`,
      );
    }
    this.#tensorNames.add(name);
    this.#tensors.push({ name, dimensions, type: type.name, offset: Number(offset), byteSize });
  }

  #readDimensions(name: string, what: string): number[] {
    const cursor = this.#cursor;
    const count = cursor.uint32(what);
    if (count > maxDimensions) {
      throw this.#damaged(`tensor ${quoted(name)} has ${count} dimensions; ${maxDimensions} is the most`);
    }
    const dimensions: number[] = [];
    for (let index = 0; index < count; index++) {
      const dimension = cursor.uint64(what);
      if (dimension > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw this.#damaged(`dimension ${index} of tensor ${quoted(name)} is ${dimension}`);
      }
      dimensions.push(Number(dimension));
    }
    return dimensions;
  }

  #readTensorType(name: string, what: string): TensorType {
    const id = this.#cursor.uint32(what);
    const type = tensorTypeById(id);
    if (type !== undefined) {
      return type;
    }
    const removed = removedTensorTypeName(id);
    throw removed === undefined
      ? this.#damaged(`tensor ${quoted(name)} has the unknown data type ${id}`)
      : unsupportedModel(
          this.#path,
          `tensor ${quoted(name)} has type ${removed}, which llama.cpp has dropped. Get a newer quantization.`,
          { tensor: name, type: removed },
        );
  }

  #checkTensorSize(name: string, type: TensorType, dimensions: readonly number[]): number {
    const [rowLength = 1] = dimensions;
    if (rowLength % type.blockSize !== 0) {
      throw this.#damaged(
        `tensor ${quoted(name)} has rows of ${rowLength} elements, not a multiple of the ${type.blockSize} in a ` +
          `block of ${type.name}`,
      );
    }
    const byteSize = tensorByteSize(type, dimensions);
    if (byteSize > this.#cursor.fileSize) {
      throw invalidModel(
        this.#path,
        `it is truncated or damaged: tensor ${quoted(name)} (${type.name} ${dimensions.join(' x ')}) takes ` +
          `${byteSize} bytes, the whole file has ${this.#cursor.fileSize}. Download it again.`,
        { tensor: name, neededBytes: byteSize, fileSize: this.#cursor.fileSize },
      );
    }
    return byteSize;
  }

  #finish(): GgufHeader {
    const alignment = this.#alignment();
    const end = this.#cursor.position;
    return {
      path: this.#path,
      fileSize: this.#cursor.fileSize,
      version: this.#version,
      metadata: this.#metadata,
      tensors: this.#tensors,
      alignment,
      dataOffset: this.#tensors.length === 0 ? end : Math.ceil(end / alignment) * alignment,
    };
  }

  #alignment(): number {
    const entry = this.#metadata.get('general.alignment');
    if (entry === undefined) {
      return defaultAlignment;
    }
    if (entry.type !== 'uint32' || entry.value === 0 || (entry.value & (entry.value - 1)) !== 0) {
      throw this.#damaged('general.alignment must be a power of two of type uint32');
    }
    return entry.value;
  }

  /** A key or a tensor name. llama.cpp reads both as C strings, so a zero byte would make two of them the same. */
  #readName(what: string, maxBytes: number): string {
    const cursor = this.#cursor;
    const { start, end } = cursor.string(what);
    if (end - start > maxBytes) {
      throw this.#damaged(`${what} has ${end - start} bytes; ${maxBytes} is the most`);
    }
    const bytes = this.#holder.bytes.subarray(start, end);
    if (bytes.includes(0)) {
      throw this.#damaged(`${what} contains a zero byte`);
    }
    try {
      return strictUtf8.decode(bytes);
    } catch {
      throw this.#damaged(`${what} is not UTF-8 text`);
    }
  }

  #damaged(reason: string): Error {
    return invalidModel(this.#path, `${reason}. The file is damaged; download it again.`);
  }
}

function quoted(name: string): string {
  return `'${name.length > 80 ? `${name.slice(0, 77)}...` : name}'`;
}
