/** A sequence of the context, and the tokens whose keys and values it holds. */
export interface Slot {
  readonly sequence: number;
  /** Tokens in the KV cache; while a generation runs, those of its prompt. */
  tokens: readonly number[] | Int32Array;
  busy: boolean;
  /** When it was last used: the lower, the longer ago. */
  lastUsed: number;
}

/** How many tokens two lists have in common from their beginning. */
export function commonPrefixLength(
  a: readonly number[] | Int32Array,
  b: readonly number[] | Int32Array,
): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return length;
}

/** Where a new generation runs, and from which cached prefix it goes on. */
export interface Placement {
  readonly slot: Slot;
  readonly cachedSequence: number;
  readonly cachedTokens: number;
}

/**
 * Chooses a free sequence for a prompt: the one that already holds most of it. If a busy one holds more, its prefix
 * is shared into the free sequence that was unused longest.
 */
export function placePrompt(
  slots: readonly Slot[],
  prompt: Int32Array,
  canShare: boolean,
): Placement | undefined {
  let best: { slot: Slot; length: number } | undefined;
  let donor: { slot: Slot; length: number } | undefined;
  let oldest: Slot | undefined;
  for (const slot of slots) {
    const length = commonPrefixLength(slot.tokens, prompt);
    if (length > (donor?.length ?? 0)) donor = { slot, length };
    if (slot.busy) continue;
    if (best === undefined || length > best.length) best = { slot, length };
    if (oldest === undefined || slot.lastUsed < oldest.lastUsed) oldest = slot;
  }
  if (best === undefined || oldest === undefined) return undefined;

  // Continuing in place cuts off what the sequence holds beyond the prefix. If that is much, it may be wanted again
  // (another conversation with the same system prompt): share the prefix into another sequence instead.
  const lost = best.slot.tokens.length - best.length;
  const shareElsewhere = donor !== undefined && (donor.length > best.length || lost > best.length);
  if (canShare && donor !== undefined && shareElsewhere && oldest !== donor.slot) {
    return { slot: oldest, cachedSequence: donor.slot.sequence, cachedTokens: donor.length };
  }
  if (best.length === 0) return { slot: oldest, cachedSequence: oldest.sequence, cachedTokens: 0 };
  return { slot: best.slot, cachedSequence: best.slot.sequence, cachedTokens: best.length };
}
