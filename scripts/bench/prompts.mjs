// Prompts as token lists: both sides get the very same tokens, and no tokenizer is measured.

/** Ordinary tokens in each vocabulary that is measured: neither single bytes nor control tokens. */
const lowest = 300;
const highest = 40_000;

/** A list of tokens that looks random and is the same for the same seed. */
export function createPrompt(length, seed) {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return lowest + (Math.floor(state / 65_536) % (highest - lowest));
  });
}

/** Prompts with a common beginning, each with an ending of its own. */
export function createSharedPrompts(count, prefixLength, endingLength, seed) {
  const prefix = createPrompt(prefixLength, seed);
  return Array.from({ length: count }, (_, index) => [
    ...prefix,
    ...createPrompt(endingLength, seed * 1000 + index + 1),
  ]);
}
