/** Bounds of whole numbers; those that are missing are where JavaScript no longer tells whole numbers apart. */
export interface IntegerBounds {
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
}

function digitClass(first: number, last: number): string {
  return first === last ? `"${first}"` : `[${first}-${last}]`;
}

/** Digits between two numbers of as many. */
function betweenDigits(low: string, high: string): string {
  if (low === high) return low === '' ? '' : `"${low}"`;
  const [first, last] = [Number(low[0]), Number(high[0])];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  const [zeros, nines] = ['0'.repeat(lowRest.length), '9'.repeat(lowRest.length)];
  if (lowRest === zeros && highRest === nines) {
    const rest = lowRest.length === 0 ? '' : ` [0-9]{${lowRest.length}}`;
    return `${digitClass(first, last)}${rest}`;
  }
  if (first === last) return `"${first}" (${betweenDigits(lowRest, highRest)})`;
  const [from, to] = [lowRest === zeros ? first : first + 1, highRest === nines ? last : last - 1];
  return [
    lowRest === zeros ? '' : `"${first}" (${betweenDigits(lowRest, nines)})`,
    from > to ? '' : `${digitClass(from, to)} [0-9]{${lowRest.length}}`,
    highRest === nines ? '' : `"${last}" (${betweenDigits(zeros, highRest)})`,
  ]
    .filter((option) => option !== '')
    .join(' | ');
}

/** Numbers from zero on, the shorter ones first. */
function betweenPositive(low: number, high: number): string[] {
  const options: string[] = [];
  for (let from = low; from <= high; ) {
    const to = Math.min(high, 10 ** String(from).length - 1);
    options.push(betweenDigits(String(from), String(to)));
    from = to + 1;
  }
  return options;
}

/**
 * An expression of a grammar for the whole numbers within bounds.
 * @returns undefined if there are none.
 */
export function integerExpression(bounds: IntegerBounds): string | undefined {
  const limit = Number.MAX_SAFE_INTEGER;
  const {
    minimum = -limit,
    maximum = limit,
    exclusiveMinimum = -limit - 1,
    exclusiveMaximum = limit + 1,
  } = bounds;
  const low = Math.max(Math.ceil(minimum), Math.floor(exclusiveMinimum) + 1, -limit);
  const high = Math.min(Math.floor(maximum), Math.ceil(exclusiveMaximum) - 1, limit);
  if (low > high) return undefined;
  const positive = high < 0 ? [] : betweenPositive(Math.max(low, 0), high);
  const negative =
    low >= 0 ? [] : betweenPositive(Math.max(-high, 1), -low).map((option) => `"-" (${option})`);
  return `(${[...positive, ...negative].join(' | ')})`;
}
