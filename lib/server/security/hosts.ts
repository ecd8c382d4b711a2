import { isLoopback, type ServerSettings } from '../settings.js';

/** `example.org:8080` and `[::1]:8080` without the port, in small letters. */
export function hostNameOf(host: string): string {
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d*$/, '');
  return name.toLowerCase();
}

/**
 * Decides to which host names a request may be addressed. A page on the internet can let its own name lead to this
 * machine (DNS rebinding), and then a browser takes the server for a part of that page.
 * @returns undefined where every name is allowed: behind a unix socket, and where keys keep strangers out anyway.
 */
export function allowedHostNames(settings: ServerSettings): ((host: string) => boolean) | undefined {
  const { host, unixSocket, allowedHosts } = settings;
  const isLocal = unixSocket === undefined && isLoopback(host);
  if (!isLocal && allowedHosts.length === 0) return undefined;
  const names = new Set([host, ...allowedHosts].map((name) => name.toLowerCase()));
  return (name) => isLoopback(name) || names.has(name);
}

/** Decides from which origins pages in browsers may ask: the server's own, and those that are allowed. */
export function originAllowed(origin: string, host: string | undefined, allowed: readonly string[]): boolean {
  if (allowed.includes('*') || allowed.includes(origin)) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false; // such as `null`, of a page in a sandbox
  }
}
