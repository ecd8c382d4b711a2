/**
 * Splits C++ source into tokens, as far as test data written in C++ needs it: strings of every kind, numbers, names
 * and punctuation. Comments and preprocessor lines are dropped.
 */

/** A token; `line` counts from 1. */
export type CppToken =
  | { readonly kind: 'string'; readonly bytes: Uint8Array; readonly line: number }
  | {
      readonly kind: 'number' | 'name' | 'character' | 'punctuation';
      readonly text: string;
      readonly line: number;
    };

/** The source is not what this small reader of C++ understands. */
export class CppSyntaxError extends Error {
  override readonly name = 'CppSyntaxError';

  constructor(message: string, line: number) {
    super(`line ${line}: ${message}`);
  }
}

const ignored = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const directive = /#(?:\\\r?\n|[^\n])*/y;
const rawString = /(?:u8|[uUL])?R"([^()\\\s]{0,16})\(([\s\S]*?)\)\1"/y;
const plainString = /(?:u8|[uUL])?"((?:\\[\s\S]|[^"\\\n])*)"/y;
const character = /(?:u8|[uUL])?'((?:\\[\s\S]|[^'\\\n])+)'/y;
const number = /(?:0[xX][0-9a-fA-F']+|(?:\d[\d']*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[uUlLfFzZ]*/y;
const name = /[A-Za-z_]\w*/y;
const punctuation = /::|->|\S/y;

const simpleEscapes: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  a: 7,
  b: 8,
  f: 12,
  v: 11,
  '"': 34,
  "'": 39,
  '\\': 92,
  '?': 63,
};

const escapeSequence = /\\(?:x([0-9a-fA-F]+)|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|([\s\S]))/y;

/** The bytes a string literal stands for, given what is between its quotes. */
function stringBytes(body: string, line: number): Uint8Array {
  const parts: Buffer[] = [];
  let position = 0;
  while (position < body.length) {
    const next = body.indexOf('\\', position);
    parts.push(Buffer.from(body.slice(position, next === -1 ? undefined : next)));
    if (next === -1) break;
    escapeSequence.lastIndex = next;
    const match = escapeSequence.exec(body);
    if (!match) throw new CppSyntaxError('a backslash ends the string', line);
    parts.push(escapedBytes(match, line));
    position = escapeSequence.lastIndex;
  }
  return Buffer.concat(parts);
}

function escapedBytes(match: RegExpExecArray, line: number): Buffer {
  const [, hexadecimal, unicode, longUnicode, octal, letter] = match;
  if (letter === '\n') return Buffer.alloc(0); // the literal goes on in the next line
  const codePoint = unicode ?? longUnicode;
  if (codePoint !== undefined) return Buffer.from(String.fromCodePoint(Number.parseInt(codePoint, 16)));
  const byte =
    hexadecimal !== undefined
      ? Number.parseInt(hexadecimal, 16)
      : octal !== undefined
        ? Number.parseInt(octal, 8)
        : simpleEscapes[letter ?? ''];
  if (byte === undefined || byte > 255) throw new CppSyntaxError(`unknown escape ${match[0]}`, line);
  return Buffer.from([byte]);
}

/** Reads all tokens of a C++ source. */
export function readCppTokens(source: string): CppToken[] {
  const tokens: CppToken[] = [];
  let position = 0;
  let line = 1;

  function take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = position;
    const match = pattern.exec(source);
    if (match) position = pattern.lastIndex;
    return match;
  }

  function next(): CppToken {
    const raw = take(rawString);
    if (raw) return { kind: 'string', bytes: Buffer.from(raw[2] ?? ''), line };
    const plain = take(plainString);
    if (plain) return { kind: 'string', bytes: stringBytes(plain[1] ?? '', line), line };
    for (const [kind, pattern] of [
      ['character', character],
      ['number', number],
      ['name', name],
      ['punctuation', punctuation],
    ] as const) {
      const match = take(pattern);
      if (match) return { kind, text: match[0], line };
    }
    throw new CppSyntaxError(`unexpected ${JSON.stringify(source[position])}`, line);
  }

  while (position < source.length) {
    const start = position;
    if (!take(ignored) && !(startsLine(source, position) && take(directive))) tokens.push(next());
    line += countNewlines(source, start, position);
  }
  return tokens;
}

/** True if only blanks stand between the start of the line and the position: there a `#` begins a directive. */
function startsLine(source: string, position: number): boolean {
  if (source[position] !== '#') return false;
  return /^[ \t]*$/.test(source.slice(source.lastIndexOf('\n', position - 1) + 1, position));
}

function countNewlines(source: string, start: number, end: number): number {
  let count = 0;
  for (
    let index = source.indexOf('\n', start);
    index !== -1 && index < end;
    index = source.indexOf('\n', index + 1)
  ) {
    count++;
  }
  return count;
}
