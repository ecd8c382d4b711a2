import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyReply } from 'fastify';

/** Where `npm run compile:page` leaves the page, seen from the sources and from dist/ alike. */
export const pageDirectory = fileURLToPath(new URL('../../../dist/page', import.meta.url));

/** The files of the page beside index.html, as paths below its folder. Compressed copies are found by themselves. */
export function listPageFiles(directory: string): string[] {
  if (!existsSync(join(directory, 'index.html'))) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.br') && entry.name !== 'index.html')
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(directory.length + 1))
    .map((path) => path.replaceAll('\\', '/'));
}

/**
 * What the browser lets the page do: run its own files and talk to this server, and nothing else. An answer of a model
 * that got past the cleaning of its HTML could still neither run a script nor load anything from elsewhere.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Sets the headers that browsers keep the page safe by. */
export function setPageHeaders(reply: FastifyReply): void {
  reply.headers({
    'content-security-policy': contentSecurityPolicy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  });
}
