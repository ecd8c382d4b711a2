/** How numbers are written for people: sizes, times, speeds and counts. */

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

function scale(value: number, step: number, units: readonly string[]): { value: number; unit: string } {
  let scaled = value;
  let index = 0;
  // 999.95 would be written as "1000.0": the next unit takes over before that.
  while (scaled >= step * 0.99995 && index < units.length - 1) {
    scaled /= step;
    index += 1;
  }
  return { value: scaled, unit: units[index] ?? '' };
}

/** A size in decimal units, as the hub shows them: `105.5 MB`. */
export function formatBytes(bytes: number): string {
  const { value, unit } = scale(bytes, 1000, byteUnits);
  return `${unit === 'B' ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

/** A large count: `134.5 million`, `7.6 billion`. */
export function formatCount(count: number): string {
  const { value, unit } = scale(count, 1000, ['', ' thousand', ' million', ' billion', ' trillion']);
  return `${unit === '' ? Math.round(value) : value.toFixed(1)}${unit}`;
}

/** A span of time: `850 ms`, `2.4 s`, `3 min 12 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 999.5) {
    return `${Math.round(milliseconds)} ms`;
  }
  if (milliseconds < 59_950) {
    return `${(milliseconds / 1000).toFixed(1)} s`;
  }
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A clock for what remains: `0:42`, `1:02:03`. */
export function formatClock(seconds: number): string {
  if (!Number.isFinite(seconds)) {
    return '-:--';
  }
  const whole = Math.ceil(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

const ages: readonly [seconds: number, name: string][] = [
  [365 * 86_400, 'year'],
  [30 * 86_400, 'month'],
  [7 * 86_400, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
];

/** How long ago a moment was: `3 days ago`, `just now`. */
export function formatAge(moment: Date, now: Date = new Date()): string {
  const seconds = (now.getTime() - moment.getTime()) / 1000;
  for (const [length, name] of ages) {
    if (seconds >= length) {
      const count = Math.floor(seconds / length);
      return `${count} ${name}${count === 1 ? '' : 's'} ago`;
    }
  }
  return 'just now';
}
