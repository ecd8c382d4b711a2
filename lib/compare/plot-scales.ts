/** The range of an axis and where it is marked. */
export interface Ticks {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

/** Places values from one range in another, along a straight line. */
export function scaleBetween(low: number, high: number, from: number, to: number): (value: number) => number {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

/** Binary fractions must not show in labels. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** Ticks at multiples of 1, 2 or 5 times a power of ten, about six of them, around some values. */
export function linearTicks(values: readonly number[]): Ticks {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const span = Math.max(most - least, most * 0.2, 1e-9) * 1.2;
  const rough = span / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const middle = (least + most) / 2;
  const low = Math.max(0, middle - span / 2);
  const high = low + span;
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return { low, high, ticks: Array.from({ length: count }, (_, index) => tidy((first + index) * step)) };
}

/** Divergences below this are those of rounding. */
const leastDivergence = 1e-6;

/** Ticks at 1, 2 and 5 times powers of ten, or at the powers alone where that is enough, around positive values. */
export function logTicks(values: readonly number[]): Ticks {
  const positive = values.map((value) => Math.max(value, leastDivergence));
  const low = Math.min(...positive, 1) / 1.6;
  const high = Math.max(...positive, leastDivergence) * 2;
  const powers: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    powers.push(power);
  const factors = powers.length > 4 ? [1] : [1, 2, 5];
  const ticks = powers
    .flatMap((power) => factors.map((factor) => tidy(factor * 10 ** power)))
    .filter((tick) => tick >= low && tick <= high);
  return { low, high, ticks };
}
