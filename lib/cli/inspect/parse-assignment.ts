import type { GgufValue, GgufValueInput } from '../../index.js';
import { UsageError } from '../failures.js';

type ScalarType = Exclude<GgufValueInput['type'], 'array'>;

const wholeNumbers = ['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'int64'];
const scalarTypes = [...wholeNumbers, 'float32', 'float64', 'bool', 'string'];

/** Reads `key=value` or `key:type=value`. Without a type, it is the one that the key has already. */
export function parseAssignment(
  text: string,
  metadata: ReadonlyMap<string, GgufValue>,
): { key: string; input: GgufValueInput } {
  const equals = text.indexOf('=');
  if (equals <= 0) {
    throw new UsageError(`Expected key=value, received ${text}.`, 'For example: general.name=Mine');
  }
  const [, key = '', named] = /^(.*?)(?::([a-z]+\d*))?$/s.exec(text.slice(0, equals)) ?? [];
  const type = named ?? metadata.get(key)?.type;
  if (type === undefined) {
    throw new UsageError(
      `There is no key ${key} yet: its type is needed.`,
      `For example: ${key}:string=text`,
    );
  }
  if (!isScalar(type)) {
    throw new UsageError(
      `Values of type ${type} cannot be set here.`,
      `Types are: ${scalarTypes.join(', ')}.`,
    );
  }
  return { key, input: readValue(key, type, text.slice(equals + 1)) };
}

function isScalar(type: string): type is ScalarType {
  return scalarTypes.includes(type);
}

function readValue(key: string, type: ScalarType, text: string): GgufValueInput {
  if (type === 'string') return { type, value: text };
  if (type === 'bool') {
    if (text !== 'true' && text !== 'false') throw wrong(key, 'true or false', text);
    return { type, value: text === 'true' };
  }
  if (type === 'uint64' || type === 'int64') {
    if (!/^-?\d+$/.test(text)) throw wrong(key, 'a whole number', text);
    return { type, value: BigInt(text) };
  }
  const value = Number(text);
  const isWhole = wholeNumbers.includes(type);
  if (text.trim() === '' || Number.isNaN(value) || (isWhole && !Number.isInteger(value))) {
    throw wrong(key, isWhole ? 'a whole number' : 'a number', text);
  }
  return { type, value };
}

function wrong(key: string, expected: string, received: string): UsageError {
  return new UsageError(`Expected ${expected} for ${key}, received ${received}.`, 'Nothing was written.');
}
