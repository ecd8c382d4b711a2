import { leastStoredTokens } from './prefix-store.js';
import { PrefixTree } from './prefix-tree.js';

/** Prompts that are remembered, to see where others branch off. */
const rememberedPrompts = 64;

/** The least distance of the regular checkpoints of a long prompt. */
const leastInterval = 1024;

/** Most regular checkpoints of one prompt. */
const mostRegular = 8;

/**
 * How far before its end a prompt gets its last checkpoint: the same question may be asked again, and templates end
 * prompts with a few tokens (the opening of the answer, or of a thought) that the next turn writes differently.
 */
const tailTokens = 8;

/**
 * Chooses where the state of a sequence is saved while its prompt is read, for models whose memory cannot be cut
 * later. A checkpoint serves every prompt that begins with its tokens.
 */
export class CheckpointPolicy {
  readonly #recent = new PrefixTree();
  #next = 0;

  /**
   * Ascending positions, each a number of prompt tokens beyond `cached`; and remembers the prompt.
   * @param affordable how many regular checkpoints of this model there is room for.
   */
  choose(prompt: Int32Array, cached: number, affordable: number): number[] {
    const end = prompt.length - tailTokens;
    const branch = this.#recent.longestPrefix(prompt).length;
    this.#recent.set(this.#next, prompt);
    this.#next = (this.#next + 1) % rememberedPrompts;

    const positions = new Set([branch, end, ...regular(end, Math.min(affordable, mostRegular))]);
    const isUseful = (position: number) => position >= leastStoredTokens && position <= end;
    return [...positions].filter((position) => isUseful(position) && position > cached).sort((a, b) => a - b);
  }
}

/** Multiples of one interval, so that prompts that begin alike have theirs at the same places. */
function regular(end: number, most: number): number[] {
  if (most < 1) return [];
  let interval = leastInterval;
  while (end / interval > most) interval *= 2;
  return Array.from({ length: Math.floor(end / interval) }, (_, index) => (index + 1) * interval);
}
