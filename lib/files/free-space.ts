import { statfs } from 'node:fs/promises';

/** Free bytes on the disk of a folder, or undefined where the file system does not tell. */
export async function freeSpace(directory: string): Promise<number | undefined> {
  const info = await statfs(directory).catch(() => undefined);
  return info === undefined || info.blocks === 0 ? undefined : info.bavail * info.bsize;
}

/** True when the system refused a write for want of room: disk, quota, or largest file size. */
export function isDiskFull(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && /^(ENOSPC|EDQUOT|EFBIG)$/.test(String(error.code));
}
