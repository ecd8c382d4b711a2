import type { PageMetrics, PageModelFigures } from '../api/types.js';

/** What the charts draw of one moment. Unknown numbers are null, and leave a gap. */
export interface Sample {
  /** Seconds since 1970. */
  readonly time: number;
  readonly running: number;
  readonly waiting: number;
  readonly inFlight: number;
  /** Prompt and answer tokens that were evaluated per second since the sample before. */
  readonly tokensPerSecond: number | null;
  /** Of the KV cache, 0 to 100. */
  readonly occupancy: number | null;
  /** Prompt tokens that were in a cache, of all of the finished generations since the server began, 0 to 100. */
  readonly cacheHits: number | null;
  readonly serverBytes: number;
  readonly enginesBytes: number;
  readonly prefixBytes: number;
}

function figuresOf({ models }: PageMetrics): PageModelFigures[] {
  return models.map(({ figures }) => figures).filter((figures) => figures !== null);
}

function sum(figures: readonly PageModelFigures[], read: (one: PageModelFigures) => number | null): number {
  return figures.reduce((total, one) => total + (read(one) ?? 0), 0);
}

function share(part: number, whole: number): number | null {
  return whole > 0 ? (part * 100) / whole : null;
}

/** Tokens since the last answer; a model that was loaded anew counts from nothing. */
function tokensSince(before: PageMetrics, now: PageMetrics): number {
  const known = new Map(before.models.map(({ name, figures }) => [name, figures?.evaluatedTokens ?? 0]));
  return now.models.reduce((total, { name, figures }) => {
    const tokens = figures?.evaluatedTokens ?? 0;
    const earlier = known.get(name) ?? 0;
    return total + (tokens >= earlier ? tokens - earlier : tokens);
  }, 0);
}

/** What the charts draw of an answer of the server, and of the one before it. */
export function toSample(before: PageMetrics | undefined, now: PageMetrics): Sample {
  const figures = figuresOf(now);
  const seconds = before === undefined ? 0 : (now.timeMs - before.timeMs) / 1000;
  return {
    time: now.timeMs / 1000,
    running: sum(figures, ({ running }) => running),
    waiting: sum(figures, ({ waiting }) => waiting),
    inFlight: now.inFlight,
    tokensPerSecond: before === undefined || seconds <= 0 ? null : tokensSince(before, now) / seconds,
    occupancy: share(
      sum(figures, ({ residentTokens }) => residentTokens),
      sum(figures, ({ contextSize }) => contextSize),
    ),
    cacheHits: share(
      sum(figures, ({ cachedTokens }) => cachedTokens),
      sum(figures, ({ promptTokens }) => promptTokens),
    ),
    serverBytes: now.memoryBytes,
    enginesBytes: sum(figures, ({ memoryBytes }) => memoryBytes),
    prefixBytes: sum(figures, ({ prefixCacheBytes }) => prefixCacheBytes),
  };
}

/** How many samples are kept: five minutes, one a second. */
export const mostSamples = 300;

/** Adds a sample, and forgets the oldest one where there are too many. */
export function addSample(samples: readonly Sample[], sample: Sample): Sample[] {
  return [...samples.slice(-(mostSamples - 1)), sample];
}
