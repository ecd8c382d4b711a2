import { commonPrefixLength, type TokenList } from './token-list.js';

/** A run of tokens that the same sequences hold, and what follows it. */
interface Node {
  tokens: Int32Array;
  /** By the first token of each child; two children never begin with the same one. */
  readonly children: Map<number, Node>;
  /** The sequences that hold the tokens up to the end of this node. */
  readonly sequences: Set<number>;
}

/** The longest prefix of a prompt that sequences hold. */
export interface PrefixMatch {
  /** In tokens. */
  readonly length: number;
  /** All sequences that hold it. */
  readonly sequences: ReadonlySet<number>;
}

const nothing: PrefixMatch = { length: 0, sequences: new Set() };

function createNode(tokens: Int32Array): Node {
  return { tokens, children: new Map(), sequences: new Set() };
}

/**
 * A radix tree over token ids: which sequence of the context holds which tokens. Finding the longest prefix that any
 * of them holds costs a walk along the prompt, however many sequences there are.
 */
export class PrefixTree {
  readonly #root = createNode(new Int32Array());
  readonly #held = new Map<number, Int32Array>();

  /** Notes that a sequence holds these tokens, in place of what it held. */
  set(sequence: number, tokens: TokenList): void {
    this.delete(sequence);
    if (tokens.length === 0) return;
    const list = Int32Array.from(tokens);
    this.#held.set(sequence, list);
    let node = this.#root;
    let position = 0;
    while (position < list.length) {
      const first = list[position] as number;
      const child = node.children.get(first);
      const rest = list.subarray(position);
      if (child === undefined) {
        const leaf = createNode(rest);
        leaf.sequences.add(sequence);
        node.children.set(first, leaf);
        return;
      }
      const shared = commonPrefixLength(child.tokens, rest);
      const next = shared < child.tokens.length ? split(node, child, shared) : child;
      next.sequences.add(sequence);
      node = next;
      position += shared;
    }
  }

  /** Notes that a sequence holds nothing. */
  delete(sequence: number): void {
    const tokens = this.#held.get(sequence);
    if (tokens === undefined) return;
    this.#held.delete(sequence);
    let node = this.#root;
    let position = 0;
    while (position < tokens.length) {
      const child = node.children.get(tokens[position] as number);
      if (child === undefined) return;
      child.sequences.delete(sequence);
      if (child.sequences.size === 0) {
        // What is below is held by a part of those that hold this, so by nobody.
        node.children.delete(tokens[position] as number);
        return;
      }
      position += child.tokens.length;
      node = child;
    }
  }

  /** What a sequence holds. */
  get(sequence: number): Int32Array {
    return this.#held.get(sequence) ?? this.#root.tokens;
  }

  /** The longest beginning of a prompt that any sequence holds, and which ones do. */
  longestPrefix(prompt: TokenList): PrefixMatch {
    let match = nothing;
    let node = this.#root;
    let position = 0;
    while (position < prompt.length) {
      const child = node.children.get(prompt[position] as number);
      if (child === undefined) return match;
      let shared = 0;
      while (shared < child.tokens.length && child.tokens[shared] === prompt[position + shared]) shared++;
      position += shared;
      match = { length: position, sequences: child.sequences };
      if (shared < child.tokens.length) return match;
      node = child;
    }
    return match;
  }

  /** The sequences that hold nothing but a beginning of the prompt, the shortest first. */
  wholePrefixes(prompt: TokenList): { readonly sequence: number; readonly length: number }[] {
    const found: { sequence: number; length: number }[] = [];
    let node = this.#root;
    let position = 0;
    while (position < prompt.length) {
      const child = node.children.get(prompt[position] as number);
      if (child === undefined) break;
      if (!continuesWith(prompt, position, child.tokens)) break;
      position += child.tokens.length;
      for (const sequence of child.sequences) {
        if (this.get(sequence).length === position) found.push({ sequence, length: position });
      }
      node = child;
    }
    return found;
  }

  /** Number of tokens held, those that several sequences share counted once. */
  get size(): number {
    const count = (node: Node): number => {
      let total = node.tokens.length;
      for (const child of node.children.values()) total += count(child);
      return total;
    };
    return count(this.#root);
  }
}

/** Whether the prompt has these tokens at this position. */
function continuesWith(prompt: TokenList, position: number, tokens: Int32Array): boolean {
  return tokens.every((token, index) => prompt[position + index] === token);
}

/** Cuts a child in two at `length`; returns the upper part, which takes its place. */
function split(parent: Node, child: Node, length: number): Node {
  const upper = createNode(child.tokens.subarray(0, length));
  for (const sequence of child.sequences) upper.sequences.add(sequence);
  child.tokens = child.tokens.subarray(length);
  upper.children.set(child.tokens[0] as number, child);
  parent.children.set(upper.tokens[0] as number, upper);
  return upper;
}
