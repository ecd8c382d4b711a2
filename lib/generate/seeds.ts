/** A seed of random numbers that nobody chose. */
export function drawSeed(): number {
  return Math.floor(Math.random() * 0x100000000);
}

/** Spreads the bits of a number; different ones stay different. Source: the finalizer of MurmurHash3. */
function mix(value: number): number {
  let bits = value >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** A seed for each of several answers, all different: the given one first, the others made from it. */
export function answerSeeds(seed: number = drawSeed(), count = 1): number[] {
  const seeds = new Set([seed]);
  for (let index = 1; seeds.size < count; index++) seeds.add(mix(mix(seed) + index));
  return [...seeds];
}
