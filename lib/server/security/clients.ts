import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { anonymous, type Client } from '../http/fastify-types.js';
import type { ApiKey } from '../settings.js';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The keys of a server. Only their digests are kept, and how long a look-up takes tells nothing about them. */
export class Clients {
  readonly #known: readonly { readonly digest: Buffer; readonly client: Client }[];

  constructor(keys: readonly ApiKey[]) {
    this.#known = keys.map(({ key, name, admin, concurrency }) => ({
      digest: digest(key),
      client: { name, isAdmin: admin, concurrency },
    }));
  }

  /** True if clients have to show a key. */
  get areRequired(): boolean {
    return this.#known.length > 0;
  }

  /** Who shows this key; undefined if it is none of the server's. Without any keys everybody is `anonymous`. */
  find(key: string | undefined): Client | undefined {
    if (!this.areRequired) return anonymous;
    if (key === undefined) return undefined;
    const shown = digest(key);
    let found: Client | undefined;
    for (const known of this.#known) {
      // All of them are looked at, also after a match.
      if (timingSafeEqual(known.digest, shown)) found ??= known.client;
    }
    return found;
  }
}

/** The key that a request shows: as OpenAI's clients do, or as Anthropic's. */
export function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  const [, bearer] = /^bearer +(\S+)\s*$/i.exec(authorization ?? '') ?? [];
  if (bearer !== undefined) return bearer;
  const key = headers['x-api-key'];
  return typeof key === 'string' && key !== '' ? key : undefined;
}
