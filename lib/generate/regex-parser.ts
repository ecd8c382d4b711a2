import { createError } from '../errors.js';
import {
  type CharacterSet,
  complementOf,
  digits,
  foldCase,
  joinHalves,
  lineEnds,
  unite,
  usableOf,
  whiteSpace,
  without,
  wordCharacters,
} from './character-set.js';
import { charactersWith } from './unicode-property.js';

/** A regular expression as a tree. */
export type RegexNode =
  | { readonly kind: 'characters'; readonly set: CharacterSet }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'alternatives'; readonly options: readonly RegexNode[] }
  | { readonly kind: 'repetition'; readonly of: RegexNode; readonly least: number; readonly most: number };

const deepestNesting = 100;

const singleEscapes: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Groups that are no plain groups, by how they begin. */
const specialGroups: readonly (readonly [beginning: string, construct: string])[] = [
  ['(?=', 'a lookahead'],
  ['(?!', 'a lookahead'],
  ['(?<=', 'a lookbehind'],
  ['(?<!', 'a lookbehind'],
];

/** How an expression is read. */
export interface RegexReading {
  /** It may match anywhere in a text, as a pattern of a JSON schema; else it matches the whole. Default false. */
  readonly anywhere?: boolean;
}

/** Reads the source of a regular expression that JavaScript has already accepted. */
class RegexParser {
  readonly #source: string;
  readonly #anywhere: boolean;
  readonly #isUnicode: boolean;
  readonly #ignoresCase: boolean;
  readonly #dotMatchesAll: boolean;
  #at = 0;
  #depth = 0;

  constructor({ source, unicode, ignoreCase, dotAll }: RegExp, { anywhere = false }: RegexReading) {
    this.#source = source;
    this.#anywhere = anywhere;
    this.#isUnicode = unicode;
    this.#ignoresCase = ignoreCase;
    this.#dotMatchesAll = dotAll;
  }

  parse(): RegexNode {
    return this.#alternatives();
  }

  #refuse(construct: string, at = this.#at): never {
    throw createError(
      'INVALID_REGEX',
      `The regular expression /${this.#source}/ cannot be expressed as a grammar: ${construct} is not supported, at character ${at + 1}.`,
      { details: { construct, position: at } },
    );
  }

  #sees(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #takes(text: string): boolean {
    const sees = this.#sees(text);
    if (sees) this.#at += text.length;
    return sees;
  }

  /** The rest of the source where it begins with a pattern. */
  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #atEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  #alternatives(): RegexNode {
    const options: RegexNode[] = [];
    do options.push(this.#sequence());
    while (this.#takes('|'));
    return options.length === 1 && options[0] !== undefined ? options[0] : { kind: 'alternatives', options };
  }

  #sequence(): RegexNode {
    const parts: RegexNode[] = [];
    const begin = this.#at;
    const isOpen = this.#anywhere && this.#depth === 0;
    let hasBegin = false;
    let hasEnd = false;
    while (!this.#atEnd() && !this.#sees('|') && !this.#sees(')')) {
      if (this.#sees('^') || this.#sees('$')) {
        hasBegin ||= this.#sees('^');
        hasEnd ||= this.#sees('$');
        this.#anchor(begin);
      } else parts.push(this.#quantified(this.#atom()));
    }
    if (isOpen && !hasBegin) parts.unshift(this.#anyText());
    if (isOpen && !hasEnd) parts.push(this.#anyText());
    return { kind: 'sequence', parts };
  }

  #anyText(): RegexNode {
    const any: RegexNode = { kind: 'characters', set: complementOf([], this.#isUnicode) };
    return this.#repeated(any, 0, Number.POSITIVE_INFINITY);
  }

  /** Anchors stand at the ends of a whole or of an alternative; elsewhere nothing could match. */
  #anchor(begin: number): void {
    const isOuter = this.#depth === 0;
    const next = this.#source[this.#at + 1];
    if (this.#sees('^') && !(isOuter && this.#at === begin)) this.#refuse('the anchor ^ inside');
    if (this.#sees('$') && !(isOuter && (next === undefined || next === '|')))
      this.#refuse('the anchor $ inside');
    this.#at++;
    if (this.#sees('*') || this.#sees('?') || this.#sees('+') || this.#sees('{'))
      this.#refuse('a repeated anchor');
  }

  #atom(): RegexNode {
    if (this.#sees('(')) return this.#group();
    if (this.#takes('[')) return { kind: 'characters', set: this.#class() };
    if (this.#takes('.')) {
      const excluded = this.#dotMatchesAll ? [] : lineEnds;
      return { kind: 'characters', set: complementOf(excluded, this.#isUnicode) };
    }
    return { kind: 'characters', set: this.#folded(this.#sees('\\') ? this.#escape() : this.#literal()) };
  }

  #group(): RegexNode {
    for (const [beginning, construct] of specialGroups) if (this.#sees(beginning)) this.#refuse(construct);
    const isPlain = this.#match(/\((?:\?:|\?<[^>=!]*>|(?!\?))/y) !== null;
    if (!isPlain) this.#refuse('a group with flags of its own');
    if (++this.#depth > deepestNesting) this.#refuse(`nesting of more than ${deepestNesting} groups`);
    const inner = this.#alternatives();
    this.#depth--;
    this.#at++; // the closing bracket
    return inner;
  }

  #quantified(of: RegexNode): RegexNode {
    const match = this.#match(/(?:([*+?])|\{(\d+)(,)?(\d*)\})\??/y);
    if (match === null) return of;
    const [, sign, least, comma, most] = match;
    if (sign === '*') return this.#repeated(of, 0, Number.POSITIVE_INFINITY);
    if (sign === '+') return this.#repeated(of, 1, Number.POSITIVE_INFINITY);
    if (sign === '?') return this.#repeated(of, 0, 1);
    const fewest = Number(least);
    if (comma === undefined) return this.#repeated(of, fewest, fewest);
    return this.#repeated(of, fewest, most === '' ? Number.POSITIVE_INFINITY : Number(most));
  }

  #repeated(of: RegexNode, least: number, most: number): RegexNode {
    const joins = most === Number.POSITIVE_INFINITY && of.kind === 'characters';
    return {
      kind: 'repetition',
      of: joins ? { kind: 'characters', set: joinHalves(of.set) } : of,
      least,
      most,
    };
  }

  /** One character that stands for itself. */
  #literal(): CharacterSet {
    const codePoint = this.#source.codePointAt(this.#at) ?? 0;
    return this.#character(codePoint, String.fromCodePoint(codePoint).length);
  }

  #character(codePoint: number, length: number): CharacterSet {
    const start = this.#at;
    if (codePoint === 0) this.#refuse('the character NUL');
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) this.#refuse('half of a character (a lone surrogate)');
    if (codePoint > 0xffff && !this.#isUnicode)
      this.#refuse(`the character ${String.fromCodePoint(codePoint)} without the flag u`);
    this.#checkCase(codePoint);
    this.#at = start + length;
    return [[codePoint, codePoint]];
  }

  /** An escape outside or inside a class. */
  #escape(): CharacterSet {
    const letter = this.#source[this.#at + 1] ?? '';
    const set = this.#classEscape(letter);
    if (set !== undefined) {
      this.#at += 2;
      return set;
    }
    if (/[1-9]/.test(letter) || letter === 'k') this.#refuse('a backreference');
    if (letter === 'b' || letter === 'B') this.#refuse(`a word border (\\${letter})`);
    if (letter === 'p' || letter === 'P') return this.#property(letter);
    const control = singleEscapes[letter];
    if (control !== undefined) return this.#character(control, 2);
    if (letter === 'x' || letter === 'u') return this.#numericEscape();
    if (/[a-zA-Z0-9]/.test(letter)) this.#refuse(`the escape \\${letter}`);
    const codePoint = this.#source.codePointAt(this.#at + 1) ?? 0;
    return this.#character(codePoint, 1 + String.fromCodePoint(codePoint).length);
  }

  #classEscape(letter: string): CharacterSet | undefined {
    switch (letter) {
      case 'd':
        return digits;
      case 'w':
        return wordCharacters;
      case 's':
        return whiteSpace;
      case 'D':
        return complementOf(digits, this.#isUnicode);
      case 'W':
        return complementOf(wordCharacters, this.#isUnicode);
      case 'S':
        return complementOf(whiteSpace, this.#isUnicode);
      default:
        return undefined;
    }
  }

  /** Without the flag u, \\p is the letter p to JavaScript, and never what was meant. */
  #property(letter: string): CharacterSet {
    const match = this.#isUnicode ? this.#match(/\\[pP]\{([^}]+)\}/y) : null;
    const [, name] = match ?? [];
    if (name === undefined) this.#refuse(`a Unicode property (\\${letter}) without the flag u`);
    const set = charactersWith(name);
    return letter === 'P' ? complementOf(set, true) : set;
  }

  #numericEscape(): CharacterSet {
    const start = this.#at;
    const unicode = this.#isUnicode ? '|\\\\u\\{([0-9a-fA-F]+)\\}' : '';
    const match = this.#match(new RegExp(`\\\\x([0-9a-fA-F]{2})|\\\\u([0-9a-fA-F]{4})${unicode}`, 'y'));
    if (match === null) this.#refuse(`an incomplete escape`);
    this.#at = start;
    return this.#character(Number.parseInt(match[1] ?? match[2] ?? match[3] ?? '', 16), match[0].length);
  }

  #class(): CharacterSet {
    const start = this.#at - 1;
    const isNegated = this.#takes('^');
    const sets: CharacterSet[] = [];
    while (!this.#takes(']')) {
      const low = this.#member();
      const isRange = this.#sees('-') && this.#source[this.#at + 1] !== ']';
      sets.push(isRange ? this.#range(low) : low);
    }
    const set = this.#folded(unite(...sets));
    const members = isNegated ? complementOf(set, this.#isUnicode) : set;
    if (usableOf(members).length === 0) this.#refuse('a class without characters', start);
    return members;
  }

  /** The rest of a range, from its hyphen on. */
  #range(low: CharacterSet): CharacterSet {
    this.#at++;
    const high = this.#member();
    const first = singleOf(low);
    const last = singleOf(high);
    // In [\d-x] JavaScript takes the hyphen as itself.
    if (first === undefined || last === undefined) return unite(low, high, [[0x2d, 0x2d]]);
    if (this.#ignoresCase && last >= 0x80) this.#refuse('a range beyond ASCII beside the flag i');
    return [[first, last]];
  }

  /** A character of a class, or an escape for several. */
  #member(): CharacterSet {
    if (!this.#sees('\\')) return this.#literal();
    if (this.#sees('\\b')) return this.#character(8, 2);
    if (this.#sees('\\-')) return this.#character(0x2d, 2);
    return this.#escape();
  }

  #folded(set: CharacterSet): CharacterSet {
    return this.#ignoresCase ? foldCase(set) : set;
  }

  /** Beyond a to z, JavaScript's rules of case have exceptions that a set of ranges would get wrong. */
  #checkCase(codePoint: number): void {
    if (!this.#ignoresCase || codePoint < 0x80) return;
    const text = String.fromCodePoint(codePoint);
    if (text.toLowerCase() !== text.toUpperCase())
      this.#refuse(`the letter ${text} beside the flag i, which works for a to z only,`);
  }
}

function singleOf(set: CharacterSet): number | undefined {
  const [range, ...others] = set;
  return range !== undefined && others.length === 0 && range[0] === range[1] ? range[0] : undefined;
}

/**
 * Reads a regular expression.
 * @throws InvalidArgumentError INVALID_REGEX that names what a grammar cannot express.
 */
export function parseRegex(regex: RegExp, reading: RegexReading = {}): RegexNode {
  const flags = regex.flags.includes('v') ? 'the flag v' : 'the flag i together with u';
  if (regex.flags.includes('v') || (regex.ignoreCase && regex.unicode))
    throw createError(
      'INVALID_REGEX',
      `The regular expression ${regex} cannot be expressed as a grammar: ${flags} is not supported.`,
      {
        details: { construct: flags },
      },
    );
  return new RegexParser(regex, reading).parse();
}

/** An expression for those texts that another matches and that have none of some characters; undefined if there are none. */
export function withoutCharacters(node: RegexNode, excluded: CharacterSet): RegexNode | undefined {
  switch (node.kind) {
    case 'characters': {
      const set = without(node.set, excluded);
      return set.length === 0 ? undefined : { kind: 'characters', set };
    }
    case 'sequence': {
      const parts = node.parts.map((part) => withoutCharacters(part, excluded));
      return parts.includes(undefined) ? undefined : { kind: 'sequence', parts: parts as RegexNode[] };
    }
    case 'alternatives': {
      const options = node.options
        .map((option) => withoutCharacters(option, excluded))
        .filter((option) => option !== undefined);
      return options.length === 0 ? undefined : { kind: 'alternatives', options };
    }
    case 'repetition': {
      const of = withoutCharacters(node.of, excluded);
      if (of !== undefined) return { ...node, of };
      return node.least === 0 ? { kind: 'sequence', parts: [] } : undefined;
    }
  }
}
