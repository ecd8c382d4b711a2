import { language, type MessageKey } from './i18n.js';

/** A whole number, or one with a digit behind the point where it is small. */
export function formatCount(value: number): string {
  const maximumFractionDigits = Number.isInteger(value) || value >= 100 ? 0 : 1;
  return new Intl.NumberFormat(language.value, { maximumFractionDigits }).format(value);
}

/** Tokens per second. */
export function formatSpeed(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}

/** Milliseconds as seconds. */
export function formatSeconds(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
}

/** A share of 100. */
export function formatPercent(value: number): string {
  return `${value.toFixed(value < 10 && value > 0 ? 1 : 0)} %`;
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes in the largest unit of which there is one. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

/** Seconds as days, hours, minutes. */
export function formatDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

/** Name of the group of days that a time belongs to. */
export function dayGroup(timeMs: number, nowMs: number): MessageKey {
  const midnight = new Date(nowMs).setHours(0, 0, 0, 0);
  const dayMs = 86_400_000;
  if (timeMs >= midnight) return 'today';
  if (timeMs >= midnight - dayMs) return 'yesterday';
  return timeMs >= midnight - 6 * dayMs ? 'thisWeek' : 'earlier';
}
