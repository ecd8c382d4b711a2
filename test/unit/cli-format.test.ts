import { describe, expect, it } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
} from '../../lib/cli/terminal/format.js';

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [98_362_432, '98.4 MB'],
    [999_960_000, '1.0 GB'],
    [40_000_000_000, '40.0 GB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [12, '12'],
    [134_515_008, '134.5 million'],
    [7_615_616_512, '7.6 billion'],
  ])('writes a count of %d as %s', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });

  it.each([
    [0.4, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 0 s'],
    [192_000, '3 min 12 s'],
  ])('writes %d milliseconds as %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it.each([
    [0, '0:00'],
    [41.2, '0:42'],
    [3723, '1:02:03'],
    [Number.POSITIVE_INFINITY, '-:--'],
  ])('shows %d remaining seconds as %s', (seconds, text) => {
    expect(formatClock(seconds)).toBe(text);
  });

  it.each([
    [5, 'just now'],
    [60, '1 minute ago'],
    [7300, '2 hours ago'],
    [86_400 * 3, '3 days ago'],
    [86_400 * 400, '1 year ago'],
  ])('tells that something was %d seconds before as %s', (seconds, text) => {
    const now = new Date('2026-03-01T12:00:00Z');
    expect(formatAge(new Date(now.getTime() - seconds * 1000), now)).toBe(text);
  });

  it('takes a file from the future, by a wrong clock, as new', () => {
    expect(formatAge(new Date(Date.now() + 60_000))).toBe('just now');
  });
});
