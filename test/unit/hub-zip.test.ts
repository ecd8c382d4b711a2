import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { openZipEntry } from '../../lib/hub/zip-entry.js';
import { errorOf, fakeModel, temporaryDirectory } from '../helpers/hub-fixtures.js';
import { makeZip } from '../helpers/hub-zip.js';

const large = Buffer.concat([fakeModel(300_000), Buffer.alloc(300_000)]);
const files = [
  { name: 'package/first.txt', bytes: Buffer.from('first') },
  { name: 'package/größe.bin', bytes: large },
  { name: 'package/stored.bin', bytes: fakeModel(1_000), method: 0 },
  { name: 'package/empty', bytes: Buffer.alloc(0), method: 0 },
];

async function write(bytes: Buffer): Promise<string> {
  const path = join(await temporaryDirectory(), 'archive.whl');
  await writeFile(path, bytes);
  return path;
}

describe('a file in a zip archive', () => {
  it.each(files)('$name is read whole', async ({ name, bytes }) => {
    const path = await write(makeZip(files, 'a comment at the end'));
    const read = await buffer(await openZipEntry(path, name));
    expect(read.equals(bytes)).toBe(true);
  });

  it('that is not there is named in the error', async () => {
    const path = await write(makeZip(files));
    const error = await errorOf(openZipEntry(path, 'package/none'), 'DOWNLOAD_CORRUPT');
    expect(error.message).toContain("'package/none'");
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['not an archive', Buffer.from('<!DOCTYPE html>'.repeat(100))],
    ['cut in the middle', makeZip(files).subarray(0, 100_000)],
    ['without its beginning', makeZip(files).subarray(200_000)],
  ])('is refused when the archive is %s', async (_, bytes) => {
    await errorOf(openZipEntry(await write(bytes), 'package/größe.bin'), 'DOWNLOAD_CORRUPT');
  });

  it('is refused when its compression is unknown', async () => {
    const path = await write(makeZip([{ name: 'a', bytes: Buffer.from('a'), method: 12 }]));
    const error = await errorOf(openZipEntry(path, 'a'), 'DOWNLOAD_CORRUPT');
    expect(error.message).toContain('compression method 12');
  });

  it('ends in an error when its compressed bytes are damaged', async () => {
    const archive = makeZip([{ name: 'a', bytes: large }]);
    archive.fill(0xff, 40, 100);
    await expect(openZipEntry(await write(archive), 'a').then(buffer)).rejects.toThrow();
  });
});
