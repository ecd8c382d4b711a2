import { invalidArgument } from '../arguments.js';
import { createError } from '../errors.js';
import { toGrammarClass } from './character-set.js';
import { spellInJson } from './json-spelling.js';
import { lengthsOf, restrictLength } from './regex-length.js';
import { parseRegex, type RegexNode } from './regex-parser.js';

/** llama.cpp's own limit. */
const mostRepetitions = 2000;

function admitsNothing(node: RegexNode): boolean {
  switch (node.kind) {
    case 'characters':
      return false;
    case 'sequence':
      return node.parts.every(admitsNothing);
    case 'alternatives':
      return node.options.some(admitsNothing);
    case 'repetition':
      return node.least === 0 || admitsNothing(node.of);
  }
}

/** How the pieces of an expression are put together; classes and repetitions look alike everywhere. */
interface Notation {
  readonly between: string;
  readonly or: string;
  readonly nothing: string;
}

const grammarNotation: Notation = { between: ' ', or: ' | ', nothing: '""' };
const patternNotation: Notation = { between: '', or: '|', nothing: '()' };

class Writer {
  readonly #regex: RegExp;
  readonly #notation: Notation;

  constructor(regex: RegExp, notation: Notation) {
    this.#regex = regex;
    this.#notation = notation;
  }

  write(node: RegexNode): string {
    const { between, or, nothing } = this.#notation;
    switch (node.kind) {
      case 'characters':
        return toGrammarClass(node.set);
      case 'sequence':
        return node.parts.length === 0 ? nothing : node.parts.map((part) => this.write(part)).join(between);
      case 'alternatives':
        return `(${node.options.map((option) => this.write(option)).join(or)})`;
      case 'repetition':
        return this.#writeRepetition(node);
    }
  }

  #writeRepetition({ of, least, most }: RegexNode & { kind: 'repetition' }): string {
    const endless = most === Number.POSITIVE_INFINITY;
    if (most === 0) return this.#notation.nothing;
    if (endless && admitsNothing(of)) this.#refuse('an endless repetition of what may be empty');
    if (Math.max(least, endless ? 0 : most) > mostRepetitions)
      this.#refuse(`a repetition of more than ${mostRepetitions} times`);
    return `(${this.write(of)}){${least},${endless ? '' : most}}`;
  }

  #refuse(construct: string): never {
    throw createError(
      'INVALID_REGEX',
      `The regular expression ${this.#regex} cannot be expressed as a grammar: ${construct} is not supported.`,
      { details: { construct } },
    );
  }
}

/**
 * A grammar whose texts are those that a regular expression matches from their beginning to their end.
 * @throws InvalidArgumentError INVALID_REGEX that names what a grammar cannot express.
 */
export function regexGrammar(regex: RegExp): string {
  if (!(regex instanceof RegExp)) throw invalidArgument('regex', 'a regular expression', regex);
  return `root ::= ${toGrammarExpression(parseRegex(regex), regex)}\n`;
}

/** An expression of a grammar for what a regular expression matches. */
export function toGrammarExpression(node: RegexNode, regex: RegExp): string {
  return new Writer(regex, grammarNotation).write(node);
}

/** What a JSON schema says of a text. */
export interface TextBounds {
  readonly pattern: string;
  /** In characters. Default 0. */
  readonly minLength?: number | undefined;
  /** In characters. Default no bound. */
  readonly maxLength?: number | undefined;
}

/** A pattern as JavaScript reads it, and the tree of what it matches within the bounds of its length. */
export interface TextPattern {
  readonly regex: RegExp;
  readonly node: RegexNode;
}

/**
 * Reads a pattern of a JSON schema, which may match anywhere in a text, with the bounds of its length.
 * @throws InvalidArgumentError INVALID_REGEX that names what a grammar cannot express.
 * @throws SyntaxError for a pattern that is no regular expression.
 */
export function readPattern({ pattern, minLength = 0, maxLength }: TextBounds): TextPattern {
  // Without the flag u, all that is written matches with it as well; only what cannot be written so needs it.
  const needsUnicode = /[\u{10000}-\u{10ffff}]|\\[pPu]\{/u.test(pattern);
  const regex = new RegExp(pattern, needsUnicode ? 'u' : '');
  const whole = parseRegex(regex, { anywhere: true });
  const node = restrictLength(whole, minLength, maxLength ?? Number.POSITIVE_INFINITY);
  if (node !== undefined) return { regex, node };
  const keyword = lengthsOf(whole).most < minLength || maxLength === undefined ? 'minLength' : 'maxLength';
  throw createError(
    'INVALID_REGEX',
    `The regular expression ${regex} cannot be held to ${keyword} ${keyword === 'minLength' ? minLength : maxLength}: no text of that length matches, or it varies in too many places. Write the length into the expression, as in ^[a-z]{2,8}$.`,
    { details: { keyword } },
  );
}

/**
 * A pattern of a JSON schema, with the bounds of its length, in what llama.cpp reads of patterns: it knows no `\\d`, wants
 * an anchor at both ends, and takes what is between them as it stands in JSON, quotes and all.
 * @throws as {@link readPattern}.
 */
export function toNativePattern(bounds: TextBounds): string {
  const { regex, node } = readPattern(bounds);
  return `^${new Writer(regex, patternNotation).write(spellInJson(node))}$`;
}
