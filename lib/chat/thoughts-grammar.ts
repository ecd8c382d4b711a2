import { toGrammarLiteral } from '../generate/choice-grammar.js';

/** How a model writes its thoughts. */
export interface ThoughtTags {
  readonly start: string;
  readonly end: string;
  /** The prompt has begun them already. */
  readonly isOpen: boolean;
}

function toClass(characters: readonly string[], isNegated = false): string {
  const codes = characters.map((character) => {
    return `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`;
  });
  return `[${isNegated ? '^' : ''}${codes.join('')}]`;
}

/**
 * Rules for any text in which a phrase does not occur: one for each number of its characters that the text has just
 * ended with, as in the search of Knuth, Morris and Pratt.
 */
function rulesWithout(phrase: string, name: string): string[] {
  const characters = [...phrase];
  const distinct = [...new Set(characters)];
  /** How much of the phrase the text ends with after one more character. */
  const matchedAfter = (matched: number, character: string): number => {
    const text = [...characters.slice(0, matched), character];
    for (let length = text.length; length > 0; length--) {
      if (text.slice(-length).join('') === characters.slice(0, length).join('')) return length;
    }
    return 0;
  };
  return characters.map((_, matched) => {
    const steps = distinct.map((character) => ({ character, next: matchedAfter(matched, character) }));
    const named = steps.filter(({ next }) => next > 0);
    const on = named
      .filter(({ next }) => next < characters.length)
      .map(({ character, next }) => `${toClass([character])} ${name}-${next}`);
    const others = `${toClass(
      named.map(({ character }) => character),
      true,
    )} ${name}-0`;
    return `${name}-${matched} ::= | ${[...on, others].join(' | ')}`;
  });
}

/**
 * A grammar that lets thoughts stand in front of what another grammar admits; those that the prompt has begun have to
 * end.
 */
export function withThoughts(grammar: string, { start, end, isOpen }: ThoughtTags): string {
  let name = 'thoughts';
  while (grammar.includes(name)) name += '-';
  const rest = `${name}-0 ${toGrammarLiteral(end)}`;
  const thoughts = isOpen ? rest : `(${toGrammarLiteral(start)} ${rest})?`;
  return [
    `root ::= ${thoughts} ${name}-space ${name}-answer`,
    `${name}-space ::= [ \\n]{0,4}`,
    ...rulesWithout(end, name),
    grammar.replace(/^root ::=/m, `${name}-answer ::=`),
  ].join('\n');
}

/**
 * A grammar of llama.cpp in which thoughts end with their mark. For some templates it lets them end without, for the
 * sake of calls that come too soon; JSON would then be taken for one more thought.
 */
export function endThoughts(grammar: string): string {
  const unended = /(\buntil-\d+) \(("(?:\\.|[^"\\])*") \| \)/;
  return grammar.replace(/^root ::=.*$/m, (root) => root.replace(unended, '$1 $2'));
}
