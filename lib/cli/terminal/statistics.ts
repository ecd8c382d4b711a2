import type { GenerationResult } from '../../index.js';
import { formatDuration } from './format.js';

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line about an answer: `24 tokens · 63.2 tokens/s · first token 210 ms · prompt 35 (20 cached)`. */
export function describeStatistics(result: Pick<GenerationResult, 'usage' | 'timings'>): string {
  const { usage, timings } = result;
  const parts = [plural(usage.completionTokens, 'token')];
  if (timings.completionTokensPerSecond > 0) {
    parts.push(`${timings.completionTokensPerSecond.toFixed(1)} tokens/s`);
  }
  if (usage.completionTokens > 0) {
    parts.push(`first token ${formatDuration(timings.timeToFirstTokenMs)}`);
  }
  parts.push(`prompt ${usage.promptTokens} (${usage.cachedTokens} cached)`);
  return parts.join(' · ');
}
