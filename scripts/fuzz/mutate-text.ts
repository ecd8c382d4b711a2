import type { Random } from '../../test/helpers/gguf-random.js';

const numbers = [
  '0',
  '1',
  '-1',
  '2',
  '255',
  '65536',
  '2147483647',
  '2147483648',
  '4294967296',
  '9223372036854775807',
  '1e308',
  '99999999999999999999',
  '0.5',
];
const characters = [
  '\0',
  '\n',
  '\r',
  '\t',
  '"',
  "'",
  '\\',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '<',
  '>',
  '|',
  '*',
  '+',
  '?',
  '.',
  '^',
  '-',
  '#',
  '%',
  '~',
  '\u00e9',
  '\u4f60',
  '\u{1f600}',
  '\ufffd',
  '\u200d',
  '\ud800',
];

/** Words of a text: names, numbers, blanks, and single signs. */
export function wordsOf(text: string): string[] {
  return text.match(/[A-Za-z_][\w-]*|\d+(?:\.\d+)?|\s+|::=|\{[%{#]-?|-?[%}#]\}|[\s\S]/g) ?? [];
}

type Edit = (words: string[], random: Random, others: readonly string[]) => void;

function place(words: readonly string[], random: Random): number {
  return random.below(words.length + 1);
}

/** A length that is short most of the time. */
function stretch(random: Random): number {
  return random.pick([1, 1, 1, 2, 3, 5, 10, 40]);
}

const edits: readonly Edit[] = [
  (words, random) => words.splice(place(words, random), stretch(random)),
  (words, random) => {
    const from = place(words, random);
    words.splice(place(words, random), 0, ...words.slice(from, from + stretch(random)));
  },
  (words, random) => {
    const from = place(words, random);
    const part = words.slice(from, from + stretch(random));
    const times = random.pick([2, 3, 10, 60]);
    words.splice(from, 0, ...Array.from({ length: times }, () => part).flat());
  },
  (words, random) => {
    const at = words.findIndex(
      (word, index) => /^\d/.test(word) && (index > words.length / 3 || random.next() < 0.5),
    );
    if (at >= 0) words[at] = random.pick(numbers);
    else words.splice(place(words, random), 0, random.pick(numbers));
  },
  (words, random) => words.splice(place(words, random), random.below(2), random.pick(characters)),
  (words, random) => {
    const [one, other] = [place(words, random), place(words, random)];
    const [first, second] = [words[one], words[other]];
    if (first === undefined || second === undefined) return;
    words[one] = second;
    words[other] = first;
  },
  (words, random, others) => {
    const from = place(others, random);
    words.splice(place(words, random), stretch(random), ...others.slice(from, from + stretch(random) * 4));
  },
  (words, random, others) => {
    const at = place(words, random);
    const from = place(others, random);
    words.splice(at, words.length, ...others.slice(from));
  },
];

/** A text with one to four things changed, some of them taken from another text. */
export function mutateText(text: string, other: string, random: Random): string {
  const words = wordsOf(text);
  const others = wordsOf(other);
  for (let times = 1 + random.below(4); times > 0; times--) random.pick(edits)(words, random, others);
  return words.join('');
}
