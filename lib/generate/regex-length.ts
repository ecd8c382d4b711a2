import type { RegexNode } from './regex-parser.js';

/** Numbers of characters, both included; the most may be infinite. */
export interface LengthRange {
  readonly least: number;
  readonly most: number;
}

const endless = Number.POSITIVE_INFINITY;

/** Most pieces of what an expression becomes; beyond that its grammar would be slow to read and to follow. */
const mostPieces = 4000;

/** How long the texts are that an expression matches. */
export function lengthsOf(node: RegexNode): LengthRange {
  switch (node.kind) {
    case 'characters':
      return { least: 1, most: 1 };
    case 'sequence':
      return node.parts
        .map(lengthsOf)
        .reduce((a, b) => ({ least: a.least + b.least, most: a.most + b.most }), {
          least: 0,
          most: 0,
        });
    case 'alternatives': {
      const ranges = node.options.map(lengthsOf);
      return {
        least: Math.min(...ranges.map(({ least }) => least)),
        most: Math.max(...ranges.map(({ most }) => most)),
      };
    }
    case 'repetition': {
      const { least, most } = lengthsOf(node.of);
      return { least: least * node.least, most: most === 0 || node.most === 0 ? 0 : most * node.most };
    }
  }
}

/** Restricts expressions to lengths; undefined stands for an expression that matches nothing. */
class Restrictor {
  #pieces = 0;

  restrict(node: RegexNode, least: number, most: number): RegexNode | undefined {
    if (++this.#pieces > mostPieces) throw new RangeError('too many pieces');
    const range = lengthsOf(node);
    if (range.least > most || range.most < least) return undefined;
    if (range.least >= least && range.most <= most) return node;
    switch (node.kind) {
      case 'characters':
        return undefined;
      case 'alternatives':
        return this.#oneOf(node.options.map((option) => this.restrict(option, least, most)));
      case 'sequence':
        return this.#restrictSequence(node.parts, least, most);
      case 'repetition':
        return this.#restrictRepetition(node, least, most);
    }
  }

  #oneOf(options: readonly (RegexNode | undefined)[]): RegexNode | undefined {
    const possible = options.filter((option) => option !== undefined);
    return possible.length > 1 ? { kind: 'alternatives', options: possible } : possible[0];
  }

  /** For each length of the first part that varies, the others have the rest of the length. */
  #restrictSequence(parts: readonly RegexNode[], least: number, most: number): RegexNode | undefined {
    const varies = parts.findIndex((part) => {
      const range = lengthsOf(part);
      return range.least !== range.most;
    });
    const before = parts.slice(0, Math.max(varies, 0));
    const first = parts[varies];
    if (first === undefined) return undefined;
    const fixed = before.reduce((sum, part) => sum + lengthsOf(part).least, 0);
    const [from, to] = [Math.max(least - fixed, 0), most - fixed];
    const after = parts.slice(varies + 1);
    const join = (head: RegexNode | undefined, tail: RegexNode | undefined): RegexNode | undefined => {
      if (head === undefined || tail === undefined) return undefined;
      const behind = tail.kind === 'sequence' ? tail.parts : [tail];
      return { kind: 'sequence', parts: [...before, head, ...behind] };
    };
    const rest: RegexNode = { kind: 'sequence', parts: after };
    const lengths = lengthsOf(rest);
    if (lengths.least === lengths.most)
      return join(this.restrict(first, from - lengths.least, to - lengths.least), rest);
    const own = lengthsOf(first);
    const options: (RegexNode | undefined)[] = [];
    // From here on only the first part's own length matters.
    const last = Math.min(own.most, to === endless ? Math.max(from - 1, own.least - 1) : to - lengths.least);
    for (let length = own.least; length <= last; length++)
      options.push(
        join(this.restrict(first, length, length), this.restrict(rest, from - length, to - length)),
      );
    if (to === endless) options.push(join(this.restrict(first, last + 1, endless), rest));
    return this.#oneOf(options);
  }

  #restrictRepetition(
    node: RegexNode & { kind: 'repetition' },
    least: number,
    most: number,
  ): RegexNode | undefined {
    const unit = lengthsOf(node.of);
    if (unit.least === unit.most && unit.least > 0) {
      const fewest = Math.max(node.least, Math.ceil(least / unit.least));
      const highest = Math.min(node.most, Math.floor(most / unit.least));
      return fewest > highest ? undefined : { ...node, least: fewest, most: highest };
    }
    // One after the other: what is left of the repetition comes behind the first.
    if (node.most === 0) return undefined;
    const following: RegexNode = { ...node, least: Math.max(node.least - 1, 0), most: node.most - 1 };
    const isNothing = node.least === 0 && least <= 0;
    const nothing: RegexNode = { kind: 'sequence', parts: [] };
    // Of nothing at all there is no end.
    const some = this.restrict(node.of, Math.max(unit.least, 1), endless);
    const more = some && this.restrict({ kind: 'sequence', parts: [some, following] }, least, most);
    return this.#oneOf(isNothing ? [more, nothing] : [more]);
  }
}

/**
 * An expression for those texts that another matches and whose length is within bounds.
 * @returns undefined if there are none, or if the expression would be too large.
 */
export function restrictLength(node: RegexNode, least: number, most: number): RegexNode | undefined {
  try {
    return new Restrictor().restrict(node, least, most);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
