/** Reads the expressions that test data in C++ is written in: literals, calls and initializer lists. */
import { CppSyntaxError, type CppToken } from './cpp-tokens.js';

/** A literal, a name, a call such as `f(a, b)` or `T{a, b}`, or an initializer list `{a, b}`. */
export type CppExpression =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly CppExpression[] }
  | { readonly kind: 'list'; readonly items: readonly CppExpression[] };

interface Parsed<Value> {
  readonly value: Value;
  /** Index of the first token behind it. */
  readonly next: number;
}

/** True if the token at an index is this punctuation or name. */
export function isToken(tokens: readonly CppToken[], index: number, text: string): boolean {
  const token = tokens[index];
  return token !== undefined && token.kind !== 'string' && token.text === text;
}

/** Index of the first place from `start` on where these names and punctuation follow each other; −1 if nowhere. */
export function findTokens(tokens: readonly CppToken[], texts: readonly string[], start = 0): number {
  for (let index = start; index + texts.length <= tokens.length; index++) {
    if (texts.every((text, offset) => isToken(tokens, index + offset, text))) return index;
  }
  return -1;
}

/** Reads the expression that starts at an index. A sum is a call of `+`. */
export function parseExpression(tokens: readonly CppToken[], index: number): Parsed<CppExpression> {
  const terms: CppExpression[] = [];
  let position = index;
  do {
    const term = parseTerm(tokens, terms.length === 0 ? position : position + 1);
    terms.push(term.value);
    position = term.next;
  } while (isToken(tokens, position, '+'));
  const [only] = terms;
  if (only !== undefined && terms.length === 1) return { value: only, next: position };
  return { value: { kind: 'call', name: '+', arguments: terms }, next: position };
}

function parseTerm(tokens: readonly CppToken[], index: number): Parsed<CppExpression> {
  const token = tokens[index];
  if (token === undefined) throw new CppSyntaxError('an expression is missing at the end', 0);
  if (token.kind === 'string') return parseStrings(tokens, index);
  if (token.kind === 'number')
    return { value: { kind: 'number', value: numberValue(token.text) }, next: index + 1 };
  if (token.kind === 'name') return parseNamed(tokens, index);
  if (token.text === '-') {
    const operand = parseExpression(tokens, index + 1);
    if (operand.value.kind !== 'number') throw new CppSyntaxError('expected a number behind -', token.line);
    return { value: { kind: 'number', value: -operand.value.value }, next: operand.next };
  }
  if (token.text === '{') {
    const { value, next } = parseSequence(tokens, index, '}');
    return { value: { kind: 'list', items: value }, next };
  }
  throw new CppSyntaxError(`expected an expression, found ${token.text}`, token.line);
}

/** Reads what stands between an opening bracket at an index and its closing one. */
export function parseSequence(
  tokens: readonly CppToken[],
  index: number,
  close: ')' | '}',
): Parsed<CppExpression[]> {
  const items: CppExpression[] = [];
  let position = index + 1;
  while (!isToken(tokens, position, close)) {
    const item = parseExpression(tokens, position);
    items.push(item.value);
    position = item.next;
    if (isToken(tokens, position, ',')) position++;
    else if (!isToken(tokens, position, close)) {
      throw new CppSyntaxError(`expected , or ${close}`, tokens[position]?.line ?? 0);
    }
  }
  return { value: items, next: position + 1 };
}

/** Adjacent literals are one string; a character may be spread over two of them, so they are decoded together. */
function parseStrings(tokens: readonly CppToken[], index: number): Parsed<CppExpression> {
  const parts: Uint8Array[] = [];
  let position = index;
  for (let token = tokens[position]; token?.kind === 'string'; token = tokens[++position])
    parts.push(token.bytes);
  return { value: { kind: 'string', value: Buffer.concat(parts).toString('utf8') }, next: position };
}

function parseNamed(tokens: readonly CppToken[], index: number): Parsed<CppExpression> {
  let name = nameAt(tokens, index);
  let position = index + 1;
  while (isToken(tokens, position, '::')) {
    name += `::${nameAt(tokens, position + 1)}`;
    position += 2;
  }
  const close = isToken(tokens, position, '(') ? ')' : isToken(tokens, position, '{') ? '}' : undefined;
  if (close === undefined) return { value: { kind: 'name', name }, next: position };
  const sequence = parseSequence(tokens, position, close);
  return { value: { kind: 'call', name, arguments: sequence.value }, next: sequence.next };
}

function nameAt(tokens: readonly CppToken[], index: number): string {
  const token = tokens[index];
  if (token?.kind !== 'name') throw new CppSyntaxError('expected a name', token?.line ?? 0);
  return token.text;
}

function numberValue(text: string): number {
  const digits = text.replaceAll("'", '');
  return Number(
    /^0[xX]/.test(digits) ? digits.replace(/[uUlLzZ]+$/, '') : digits.replace(/[uUlLfFzZ]+$/, ''),
  );
}

/** The text of a string expression, also inside a macro or conversion of one argument such as `U8C("…")`. */
export function textOf(expression: CppExpression | undefined): string {
  if (expression?.kind === 'string') return expression.value;
  if (expression?.kind === 'call' && expression.arguments.length === 1)
    return textOf(expression.arguments[0]);
  throw new Error(`Expected a C++ string, found ${JSON.stringify(expression)}`);
}

/** The items of an initializer list. */
export function itemsOf(expression: CppExpression | undefined): readonly CppExpression[] {
  if (expression?.kind === 'list') return expression.items;
  throw new Error(`Expected a C++ initializer list, found ${JSON.stringify(expression)}`);
}
