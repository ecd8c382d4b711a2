import { toGrammarLiteral } from '../generate/choice-grammar.js';
import { readPattern, toGrammarExpression } from '../generate/regex-grammar.js';
import { withoutCharacters } from '../generate/regex-parser.js';
import type { Json } from './native-messages.js';
import { boundsOf, followReference, type Schema } from './value-grammar.js';

function mayBeText({ type, const: constant, enum: values }: Schema): boolean {
  if (constant !== undefined) return typeof constant === 'string';
  if (Array.isArray(values)) return values.some((value) => typeof value === 'string');
  return type === undefined || type === 'string' || (Array.isArray(type) && type.includes('string'));
}

/** A text within its bounds; without the character that its end begins with, since no other tells it from the end. */
function boundedText(schema: Schema, end: string): string | undefined {
  const bounds = boundsOf(schema);
  const code = end.charCodeAt(0);
  if (bounds.pattern === undefined) {
    const { minLength: least, maxLength: most } = bounds;
    if (least === undefined && most === undefined) return undefined;
    return `[^\\x${code.toString(16).padStart(2, '0')}]{${least ?? 0},${most ?? ''}}`;
  }
  const { regex, node } = readPattern({ ...bounds, pattern: bounds.pattern });
  const plain = withoutCharacters(node, [[code, code]]);
  return plain && toGrammarExpression(plain, regex);
}

/**
 * What a schema admits as a text that stands in a call without quotes.
 * @param root what references point into.
 * @param end of the text, as the call marks it.
 * @returns an expression of a grammar; undefined for any text.
 */
export function plainArgument(schema: Json | undefined, root: Schema, end: string): string | undefined {
  const target = followReference(schema, root);
  if (target === undefined) return undefined;
  const options = target.anyOf ?? target.oneOf;
  if (Array.isArray(options)) {
    // What is no text would be read as one.
    const texts = options.filter((option) => mayBeText(followReference(option, root) ?? {}));
    const written = texts.map((option) => plainArgument(option, root, end));
    return written.length === 0 || written.includes(undefined) ? undefined : `(${written.join(' | ')})`;
  }
  const values = target.const === undefined ? target.enum : [target.const];
  if (!Array.isArray(values)) return boundedText(target, end);
  const texts = values.filter((value) => typeof value === 'string');
  return texts.length === 0 ? undefined : `(${texts.map(toGrammarLiteral).join(' | ')})`;
}
