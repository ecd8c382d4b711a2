/** Writes grammars in GBNF at random: most are well-formed, and strange. */
import type { Random } from '../../../test/helpers/gguf-random.js';

const ruleNames = ['root', 'a', 'b', 'c', 'item', 'ws'];
const literals = [
  '"a"',
  '"ab"',
  '"x"',
  '""',
  '"\\n"',
  '"\\x41"',
  '"\\u4f60"',
  '"\\U0001F600"',
  '"\u4f60"',
  '"\\""',
  '" "',
  '"\\x00"',
  '"\\xFF"',
];
const classes = [
  '[a-z]',
  '[^a-z]',
  '[ \\t\\n]',
  '[0-9]',
  '[\\x00-\\x1F]',
  '[^\\x00-\\U0010FFFF]',
  '[\u4e00-\u9fff]',
  '[z-a]',
  '[-a]',
  '[a-]',
  '[^]',
  '[\\u0041-\\U0010FFFF]',
  '[^"\\\\]',
  '.',
  '[]',
  '[\\]]',
];
const tokens = [
  '<[65]>',
  '!<[65]>',
  '<[2147483647]>',
  '<[999]>',
  '<|im_end|>',
  '!<|im_end|>',
  '<a>',
  '<>',
  '<[0]>',
];
const counts = [
  '0',
  '1',
  '2',
  '3',
  '5',
  '10',
  '100',
  '1999',
  '2000',
  '2001',
  '65536',
  '4294967295',
  '18446744073709551616',
];

class GbnfWriter {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  grammar(): string {
    const random = this.#random;
    const names = ruleNames.slice(0, 1 + random.below(ruleNames.length));
    const rules = names.map((name) => `${name} ::= ${this.#alternatives(0, names)}`);
    if (random.next() < 0.1) rules.push(`# ${'x'.repeat(random.below(20))}`);
    return rules.join(random.pick(['\n', '\n', '\n\n', '\r\n']));
  }

  #alternatives(depth: number, names: readonly string[]): string {
    const count = this.#random.pick([1, 1, 2, 3, 8]);
    return Array.from({ length: count }, () => this.#sequence(depth, names)).join(' | ');
  }

  #sequence(depth: number, names: readonly string[]): string {
    const count = this.#random.pick([0, 1, 1, 2, 2, 3, 6]);
    return Array.from({ length: count }, () => this.#item(depth, names) + this.#repetition()).join(' ');
  }

  #item(depth: number, names: readonly string[]): string {
    const random = this.#random;
    const choice = random.next();
    if (choice < 0.3) return random.pick(literals);
    if (choice < 0.5) return random.pick(classes);
    if (choice < 0.7) return random.pick(names);
    if (choice < 0.75) return random.pick(tokens);
    if (depth > 4) return '"d"';
    return `(${this.#alternatives(depth + 1, names)})`;
  }

  #repetition(): string {
    const random = this.#random;
    if (random.next() < 0.6) return '';
    const [least, most] = [random.pick(counts), random.pick(counts)];
    return random.pick([
      '*',
      '+',
      '?',
      `{${least}}`,
      `{${least},}`,
      `{${least},${most}}`,
      `{,${most}}`,
      '**',
      '*?',
      '{0,0}',
    ]);
  }
}

/** Grammars that grow by one number: deep, wide, long, or ambiguous. */
function extreme(random: Random): string {
  const size = random.pick([10, 30, 100, 499, 501, 1000, 5000]);
  const letter = (index: number) => `r${index}`;
  return random.pick([
    () => `root ::= ${'('.repeat(size)}"a"${')'.repeat(size)}`,
    () => `root ::= ${'("a" '.repeat(size)}${')?'.repeat(size)}`,
    () => `root ::= ${Array.from({ length: size }, () => '"a"').join(' | ')}`,
    () => `root ::= ${'"a"? '.repeat(size)}`,
    () => `root ::= ${'[a-z]* '.repeat(size)}`,
    () =>
      `root ::= r0\n${Array.from({ length: size }, (_, index) => `${letter(index)} ::= ${letter(index + 1)} | "a"`).join('\n')}\n${letter(size)} ::= "b"`,
    () =>
      `root ::= r0\n${Array.from({ length: Math.min(size, 40) }, (_, index) => `${letter(index)} ::= ${letter(index + 1)} ${letter(index + 1)}`).join('\n')}\n${letter(Math.min(size, 40))} ::= [a-z]?`,
    () => `root ::= s\ns ::= s2 s2 | "a"\ns2 ::= "a" s | s3\ns3 ::= [a-z] s? | "b"`,
    () => `root ::= x*\nx ::= (y | z)+\ny ::= [a-z]*\nz ::= [a-z]+ | ""`,
    () => `root ::= "${'a'.repeat(size)}"{${random.pick([1, 20, 400])}}`,
    () => `root ::= [${'a-z'.repeat(size)}]+`,
    () => `root ::= (((("a"{0,9}){0,9}){0,9}){0,9}){0,${random.pick([2, 9])}}`,
  ])();
}

export function writeGrammar(random: Random): string {
  return random.next() < 0.12 ? extreme(random) : new GbnfWriter(random).grammar();
}
