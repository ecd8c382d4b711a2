import { describe, expect, it } from 'vitest';
import { formatBytes } from '../../lib/files/format-bytes.js';
import { digestOfEtag, digestOfHeaders, startDigest } from '../../lib/hub/digest.js';
import { parseRetryAfter, request } from '../../lib/hub/http.js';
import { ProgressReporter } from '../../lib/hub/progress.js';
import { readSettings } from '../../lib/hub/settings.js';
import type { DownloadProgress } from '../../lib/hub/types.js';
import { fakeModel, sha256, startHub } from '../helpers/hub-fixtures.js';

describe('headers', () => {
  it('Retry-After is read as seconds and as a date', () => {
    expect(parseRetryAfter('7')).toBe(7_000);
    const inAMinute = parseRetryAfter(new Date(Date.now() + 60_000).toUTCString()) ?? 0;
    expect(inAMinute).toBeGreaterThan(57_000);
    expect(inAMinute).toBeLessThanOrEqual(60_000);
    expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:00 GMT')).toBe(0);
    expect(parseRetryAfter('soon')).toBeUndefined();
    expect(parseRetryAfter(null)).toBeUndefined();
  });

  it('hashes are found in any of the headers that servers use', () => {
    const hex = sha256(Buffer.from('x'));
    const base64 = Buffer.from(hex, 'hex').toString('base64');
    for (const [name, value] of [
      ['x-linked-etag', `"${hex}"`],
      ['x-checksum-sha256', hex.toUpperCase()],
      ['repr-digest', `sha-512=:AAAA:, sha-256=:${base64}:`],
      ['digest', `SHA-256=${base64}`],
    ] as const) {
      expect(digestOfHeaders(new Headers({ [name]: value }))).toEqual({ algorithm: 'sha256', hex });
    }
    expect(digestOfHeaders(new Headers({ etag: `"${hex}"`, 'x-linked-etag': '"short"' }))).toBeUndefined();
  });

  it('an ETag of the hub tells the kind of its hash', () => {
    // `printf hello | git hash-object --stdin`
    const id = 'b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0';
    expect(digestOfEtag(id)).toEqual({ algorithm: 'git-blob', hex: id });
    expect(startDigest(digestOfEtag(id), 5).update('hello').digest('hex')).toBe(id);
    expect(digestOfEtag('a'.repeat(64))?.algorithm).toBe('sha256');
    expect(digestOfEtag('W/"x"')).toBeUndefined();
  });
});

describe('a request', () => {
  it('ends on redirects without end and on redirects to nowhere', async () => {
    const hub = await startHub();
    const settings = await readSettings({});
    hub.misbehaviour.failures = Array.from({ length: 20 }, () => ({
      status: 302,
      headers: { location: '/files/a' },
    }));
    hub.files.a = { body: fakeModel(10) };
    await expect(request(`${hub.url}/files/a`, settings)).rejects.toThrow('redirected more than 10 times');
    hub.misbehaviour.failures = [{ status: 302, headers: { location: 'https://[' } }];
    await expect(request(`${hub.url}/files/a`, settings)).rejects.toThrow("redirected to 'https://['");
  });
});

describe('progress', () => {
  it('is told at most ten times a second, and always at the end', async () => {
    const events: DownloadProgress[] = [];
    const reporter = new ProgressReporter((event) => events.push(event), 'a.gguf');
    for (let bytes = 0; bytes < 1_000; bytes++) reporter.update(bytes, 1_000);
    expect(events.length).toBe(1);
    reporter.complete(1_000);
    expect(events.map((event) => event.downloadedBytes)).toEqual([0, 1_000]);
    expect(events.at(-1)).toMatchObject({ stage: 'download', file: 'a.gguf', totalBytes: 1_000 });
  });
});

describe('a size', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1_000, '1.0 kB'],
    [98_362_432, '98.4 MB'],
    [4.5e9, '4.5 GB'],
    [1e21, '1000.0 EB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
