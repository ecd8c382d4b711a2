// The few figures that the benchmarks need of their measurements.

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values) {
  if (values.length === 0) throw new RangeError('the median of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How many tokens had arrived at a time, with the way from one arrival to the next taken as even. */
function tokensUntil(arrivals, time) {
  let before = { time: Number.NEGATIVE_INFINITY, tokens: 0 };
  for (const { time: arrival, tokens } of arrivals) {
    if (arrival > time) {
      if (before.time === Number.NEGATIVE_INFINITY) return 0;
      return before.tokens + (tokens * (time - before.time)) / (arrival - before.time);
    }
    before = { time: arrival, tokens: before.tokens + tokens };
  }
  return before.tokens;
}

/**
 * Tokens per second while all sequences were decoding: from the first token of the one that began last to the end of
 * the one that ended first. Prompts, and the tail where the batch is no longer full, are left out.
 *
 * @param {{ time: number, tokens: number }[][]} sequences for each sequence its arrivals, in milliseconds
 */
export function decodeTokensPerSecond(sequences) {
  const begin = Math.max(...sequences.map((arrivals) => arrivals[0].time));
  const end = Math.min(...sequences.map((arrivals) => arrivals[arrivals.length - 1].time));
  if (!(end > begin)) throw new RangeError('the sequences were never decoding at the same time');
  const tokens = sequences.map((arrivals) => tokensUntil(arrivals, end) - tokensUntil(arrivals, begin));
  return (tokens.reduce((sum, count) => sum + count, 0) * 1000) / (end - begin);
}
