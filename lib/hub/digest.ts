import { createHash, type Hash } from 'node:crypto';

/** What the bytes of a file must hash to. */
export interface Digest {
  /** `git-blob` is SHA-1 over git's blob header and the bytes: the id of files that are not in large-file storage. */
  readonly algorithm: 'sha256' | 'git-blob';
  /** In lower case. */
  readonly hex: string;
}

/** A running hash; of a git blob, the size comes first, so it must be known. */
export function startDigest(digest: Digest | undefined, sizeBytes: number | undefined): Hash {
  if (digest?.algorithm !== 'git-blob') return createHash('sha256');
  return createHash('sha1').update(`blob ${sizeBytes ?? 0}\0`);
}

/** The digest that a hub ETag is: SHA-256 for large files, a git id for small ones. */
export function digestOfEtag(etag: string): Digest | undefined {
  if (/^[0-9a-f]{64}$/.test(etag)) return { algorithm: 'sha256', hex: etag };
  if (/^[0-9a-f]{40}$/.test(etag)) return { algorithm: 'git-blob', hex: etag };
  return undefined;
}

/** A SHA-256 of the whole file, where a server's headers give one. */
export function digestOfHeaders(headers: Headers): Digest | undefined {
  const hex = stripEtag(headers.get('x-linked-etag')) ?? headers.get('x-checksum-sha256')?.toLowerCase();
  if (hex !== undefined && /^[0-9a-f]{64}$/.test(hex)) return { algorithm: 'sha256', hex };
  // RFC 9530 writes sha-256=:base64: and the older RFC 3230 SHA-256=base64.
  const field = headers.get('repr-digest') ?? headers.get('digest') ?? '';
  const base64 = /sha-256=:?([A-Za-z0-9+/]{43}=):?/i.exec(field)?.[1];
  if (base64 === undefined) return undefined;
  return { algorithm: 'sha256', hex: Buffer.from(base64, 'base64').toString('hex') };
}

/** The text of an ETag without quotes and weakness mark. */
export function stripEtag(value: string | null): string | undefined {
  const text = value?.replace(/^W\//, '').replace(/^"|"$/g, '');
  return text === '' ? undefined : text;
}
