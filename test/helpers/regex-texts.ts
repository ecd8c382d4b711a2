/** What a text of a test is made of: all that the expressions speak of, and a little more. */
const pieces = [
  ...'abcABCxyzX12-_ \t\n]\\^{,}./*',
  'é',
  'à',
  'ü',
  '日',
  '本',
  '😀',
  '😁',
  '\u00a0',
  '\u2028',
];

/** The expression as one that matches a text from its beginning to its end. */
export function wholeOf(regex: RegExp): RegExp {
  return new RegExp(`^(?:${regex.source})$`, regex.flags);
}

/** Texts that match, near misses of them, and texts at random; the same each time. */
export function textsFor(regex: RegExp, examples: readonly string[] = []): string[] {
  let state = regex.source.length + 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const texts = new Set(['', ...pieces, ...examples]);
  const whole = wholeOf(regex);
  let matching: string[] = [...texts].filter((text) => whole.test(text));
  for (let round = 0; round < 1500; round++) {
    const known = matching[random(matching.length)] ?? '';
    const from = random(3) === 0 ? known : '';
    const length = 1 + random(4);
    let text = from;
    for (let index = 0; index < length; index++) {
      const at = random(text.length + 1);
      text = text.slice(0, at) + (pieces[random(pieces.length)] ?? '') + text.slice(at);
    }
    // Two surrogates that a cut has torn apart are no text that a model could write.
    if (/\p{Surrogate}/u.test(text)) continue;
    if (whole.test(text)) matching = [...matching, text];
    if (whole.test(text) || texts.size < 150) texts.add(text);
  }
  return [...texts].slice(0, 250);
}
