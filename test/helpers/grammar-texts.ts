import { type Alternatives, type Item, parseBody, parseRules, textOf } from '../../lib/chat/gbnf.js';

/** Characters that a class without a list picks from: letters of several scripts, signs, and what ends things. */
const anyCharacters = [...'aZ09 \n"\'\\<>|/[]{}(),:=_-é你好🙂'];

/** Stands between the ends of a range while a class is read. */
const rangeMark = '\ue000';

/** Numbers from 0 to below 1, the same for each seed. Source: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Texts of a grammar in GBNF, chosen at random: what a model may write whose every token is as probable as any other. */
export class GrammarTexts {
  readonly #rules = new Map<string, Alternatives>();
  /** How many steps the shortest text of a rule takes. */
  readonly #costs = new Map<string, number>();
  readonly #random: () => number;
  #steps = 0;

  constructor(grammar: string, seed: number) {
    this.#random = randomNumbers(seed);
    for (const [name, body] of parseRules(grammar)) this.#rules.set(name, parseBody(body));
    for (let changed = true; changed; ) {
      changed = false;
      for (const [name, options] of this.#rules) {
        const cost = this.#costOf(options);
        if (cost < (this.#costs.get(name) ?? Number.POSITIVE_INFINITY)) {
          this.#costs.set(name, cost);
          changed = true;
        }
      }
    }
  }

  next(): string {
    this.#steps = 0;
    return this.#write([[{ kind: 'name', source: 'root', sign: '' }]]);
  }

  #costOf(options: Alternatives): number {
    return Math.min(...options.map((items) => items.reduce((sum, item) => sum + this.#costOfItem(item), 0)));
  }

  #costOfItem(item: Item): number {
    const [least] = timesOf(item.sign);
    if (least === 0) return 1;
    if (item.kind === 'group') return 1 + least * this.#costOf(item.options);
    if (item.kind !== 'name') return 1;
    return 1 + least * (this.#costs.get(item.source) ?? Number.POSITIVE_INFINITY);
  }

  /** Long texts come to an end: after some steps the shortest way is taken. */
  #write(options: Alternatives): string {
    const isLong = ++this.#steps > 400;
    const sorted = isLong ? [...options].sort((a, b) => this.#costOf([a]) - this.#costOf([b])) : options;
    const chosen = sorted[isLong ? 0 : Math.floor(this.#random() * sorted.length)] ?? [];
    return chosen.map((item) => this.#writeItem(item)).join('');
  }

  #writeItem(item: Item): string {
    const [least, most] = timesOf(item.sign);
    const extra = this.#steps > 400 ? 0 : Math.floor(this.#random() * (Math.min(most - least, 4) + 1));
    let written = '';
    for (let count = 0; count < least + extra; count++) written += this.#writeOne(item);
    return written;
  }

  #writeOne(item: Item): string {
    if (item.kind === 'text') return textOf(item.source);
    if (item.kind === 'class') return this.#writeClass(item.source);
    const options = item.kind === 'group' ? item.options : this.#rules.get(item.source);
    if (options === undefined) throw new Error(`no rule ${item.kind === 'name' ? item.source : ''}`);
    return this.#write(options);
  }

  #writeClass(source: string): string {
    const body = source === '.' ? '' : source.slice(1, -1);
    const isNegated = body.startsWith('^');
    const members = [
      ...textOf(`"${(isNegated ? body.slice(1) : body).replace(/([^\\])-(?=.)/g, `$1${rangeMark}`)}"`),
    ];
    const ranges: [number, number][] = [];
    for (let index = 0; index < members.length; index++) {
      const first = members[index]?.codePointAt(0) ?? 0;
      const isRange = members[index + 1] === rangeMark;
      const last = isRange ? (members[index + 2]?.codePointAt(0) ?? first) : first;
      ranges.push([first, last]);
      if (isRange) index += 2;
    }
    const holds = (code: number) => ranges.some(([first, last]) => code >= first && code <= last);
    if (!isNegated && source !== '.') {
      const [first = 0, last = 0] = ranges[Math.floor(this.#random() * ranges.length)] ?? [];
      return String.fromCodePoint(first + Math.floor(this.#random() * (last - first + 1)));
    }
    const allowed = anyCharacters.filter((character) => !holds(character.codePointAt(0) ?? 0));
    return allowed[Math.floor(this.#random() * allowed.length)] ?? '';
  }
}

function timesOf(sign: string): [least: number, most: number] {
  if (sign === '') return [1, 1];
  if (sign === '?') return [0, 1];
  if (sign === '*') return [0, Number.POSITIVE_INFINITY];
  if (sign === '+') return [1, Number.POSITIVE_INFINITY];
  const [least = '0', most] = sign.slice(1, -1).split(',');
  return [
    Number(least),
    most === undefined ? Number(least) : most === '' ? Number.POSITIVE_INFINITY : Number(most),
  ];
}
