/** What one stretch of bytes in a GGUF header means. */
export interface HeaderField {
  readonly kind:
    | 'magic'
    | 'count'
    | 'length'
    | 'type'
    | 'value'
    | 'text'
    | 'elements'
    | 'dimension'
    | 'offset';
  /** Key or tensor that it belongs to, and its part. */
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

const scalarSizes = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);
const stringType = 8;
const arrayType = 9;

/**
 * Finds where each field of a well-formed header lies. Independent of the library's reader, so that a test does not
 * use what it tests. The strings of an array are one field.
 */
export function findHeaderFields(bytes: Buffer): HeaderField[] {
  const fields: HeaderField[] = [];
  let position = 0;
  const add = (kind: HeaderField['kind'], name: string, size: number): number => {
    fields.push({ kind, name, start: position, size });
    position += size;
    return position - size;
  };
  const addLength = (kind: HeaderField['kind'], name: string): number =>
    Number(bytes.readBigUInt64LE(add(kind, name, 8)));
  const addText = (name: string): string => {
    const length = addLength('length', `${name} length`);
    const start = add('text', name, length);
    return bytes.toString('latin1', start, start + length);
  };

  add('magic', 'magic', 4);
  add('count', 'version', 4);
  const tensorCount = addLength('count', 'tensor count');
  const entryCount = addLength('count', 'metadata count');
  for (let entry = 0; entry < entryCount; entry++) {
    const key = addText(`key ${entry}`);
    const type = bytes.readUInt32LE(add('type', `${key} type`, 4));
    if (type === stringType) {
      addText(key);
    } else if (type === arrayType) {
      const elementType = bytes.readUInt32LE(add('type', `${key} element type`, 4));
      const count = addLength('count', `${key} count`);
      add('elements', key, elementsSize(bytes, position, elementType, count));
    } else {
      add('value', key, scalarSizes.get(type) ?? 0);
    }
  }
  for (let tensor = 0; tensor < tensorCount; tensor++) {
    const name = addText(`tensor ${tensor}`);
    const dimensions = bytes.readUInt32LE(add('count', `${name} dimension count`, 4));
    for (let index = 0; index < dimensions; index++) {
      add('dimension', `${name} dimension ${index}`, 8);
    }
    add('type', `${name} type`, 4);
    add('offset', `${name} offset`, 8);
  }
  return fields;
}

function elementsSize(bytes: Buffer, start: number, elementType: number, count: number): number {
  if (elementType !== stringType) {
    return count * (scalarSizes.get(elementType) ?? 0);
  }
  let end = start;
  for (let index = 0; index < count; index++) {
    end += 8 + Number(bytes.readBigUInt64LE(end));
  }
  return end - start;
}
