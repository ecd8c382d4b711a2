import { invalidArgument } from '../arguments.js';
import { createError } from '../errors.js';
import { toGrammarClass } from './character-set.js';
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

class Writer {
  readonly #regex: RegExp;

  constructor(regex: RegExp) {
    this.#regex = regex;
  }

  write(node: RegexNode): string {
    switch (node.kind) {
      case 'characters':
        return toGrammarClass(node.set);
      case 'sequence':
        return node.parts.length === 0 ? '""' : node.parts.map((part) => this.write(part)).join(' ');
      case 'alternatives':
        return `(${node.options.map((option) => this.write(option)).join(' | ')})`;
      case 'repetition':
        return this.#writeRepetition(node);
    }
  }

  #writeRepetition({ of, least, most }: RegexNode & { kind: 'repetition' }): string {
    const endless = most === Number.POSITIVE_INFINITY;
    if (most === 0) return '""';
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
  return `root ::= ${new Writer(regex).write(parseRegex(regex))}\n`;
}
