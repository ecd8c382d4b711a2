import { invalidArgument } from '../arguments.js';

/** A text as a literal of a grammar. */
export function toGrammarLiteral(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be escaped
  const escaped = text.replace(/["\\\u0000-\u001f\u007f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/**
 * A grammar that admits one of several texts.
 * @throws InvalidArgumentError unless there is at least one, none of them empty.
 */
export function choiceGrammar(choices: readonly string[]): string {
  if (!Array.isArray(choices) || choices.length === 0)
    throw invalidArgument('choice', 'an array of at least one text', choices);
  for (const choice of choices as readonly unknown[]) {
    const isText = typeof choice === 'string' && choice !== '' && !/\p{Surrogate}/u.test(choice);
    if (!isText || choice.includes('\0'))
      throw invalidArgument(
        'choice',
        'texts of at least one character, without NUL or lone surrogates',
        choice,
      );
  }
  return `root ::= ${[...new Set(choices)].map(toGrammarLiteral).join(' | ')}\n`;
}
