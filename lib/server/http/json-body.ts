import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { RequestError } from '../failures.js';

/**
 * Objects and arrays inside of each other, at most. No schema or message of anybody comes near it, while what walks
 * through values a thousand times as deep runs out of stack.
 */
const deepest = 200;

const quote = 0x22;
const backslash = 0x5c;
const openers: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const closers: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** Whether the text has more opened brackets at a place than may be inside of each other. */
export function isTooDeep(json: Uint8Array): boolean {
  if (json.length <= deepest) return false;
  let depth = 0;
  let isText = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index] ?? 0;
    if (isText) {
      if (byte === backslash) index++;
      else if (byte === quote) isText = false;
    } else if (byte === quote) isText = true;
    else if (openers.has(byte)) {
      if (++depth > deepest) return true;
    } else if (closers.has(byte)) depth--;
  }
  return false;
}

/** The text of a body. @throws RequestError for what is no UTF-8, or nested too deeply for those who have to read it. */
export function toJsonText(body: Buffer): string {
  if (!isUtf8(body)) {
    throw new RequestError(
      'invalid-request',
      'invalid_utf8',
      'Expected JSON in UTF-8; received other bytes.',
    );
  }
  if (isTooDeep(body)) {
    const message = `Expected JSON of at most ${deepest} objects and arrays inside of each other; received more.`;
    throw new RequestError('invalid-request', 'nested_too_deeply', message);
  }
  return body.toString('utf8');
}

/** Reads bodies as JSON, more strictly than Fastify does. */
export function addJsonParser(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    parse(request, toJsonText(body as Buffer), done);
  });
}
