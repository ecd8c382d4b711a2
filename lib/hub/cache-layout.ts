import { randomUUID } from 'node:crypto';
import { copyFile, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { isSafePath } from './source.js';

/**
 * The cache layout of the Hugging Face tools: the bytes under their hash, and names that link to them.
 *
 *     models--owner--name/
 *       blobs/<etag>              the bytes; <etag>.llama-native.incomplete while they are fetched
 *       refs/main                 the commit that a branch or tag stood for when it was last asked
 *       snapshots/<commit>/<file> a link to ../../blobs/<etag>
 *
 * See https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
 */
export class RepositoryCache {
  readonly directory: string;
  readonly #locks: string;

  constructor(cacheDirectory: string, repository: string) {
    const folder = `models--${repository.split('/').join('--')}`;
    this.directory = join(cacheDirectory, folder);
    this.#locks = join(cacheDirectory, '.locks', folder);
  }

  blobPath(etag: string): string {
    return join(this.directory, 'blobs', etag);
  }

  /**
   * In the form of huggingface_hub, which has eight random characters in the middle. Its older versions append to
   * `<etag>.incomplete` without checking the result, so what other tools began is left alone, and they leave ours.
   */
  partialPath(etag: string): string {
    return `${this.blobPath(etag)}.llama-native.incomplete`;
  }

  /** Not the name that huggingface_hub uses, since its locks are of another kind (flock). */
  lockPath(etag: string): string {
    return join(this.#locks, `${etag}.llama-native.lock`);
  }

  snapshotDirectory(commit: string): string {
    return join(this.directory, 'snapshots', commit);
  }

  snapshotPath(commit: string, file: string): string {
    return join(this.snapshotDirectory(commit), ...file.split('/'));
  }

  /** Where the list of files of a commit is remembered; a commit never changes, so the list stays right. */
  listingPath(commit: string): string {
    return join(this.directory, '.llama-native', `${commit}.json`);
  }

  /** The folder of the snapshot is made along: without one, other tools take the repository for damaged. */
  async rememberListing(commit: string, text: string): Promise<void> {
    await this.prepare(commit);
    const path = this.listingPath(commit);
    await makeDirectory(dirname(path));
    await writeWhole(path, text);
  }

  /** Makes the folders that other tools expect of a repository. */
  async prepare(commit: string): Promise<void> {
    await makeDirectory(this.snapshotDirectory(commit));
  }

  /** The commit that a revision stands for, as far as the cache knows. */
  async knownCommit(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(this.#referencePath(revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    await makeDirectory(join(this.directory, 'refs'));
    if (isCommit(revision) || (await this.knownCommit(revision)) === commit) return;
    const path = this.#referencePath(revision);
    await makeDirectory(dirname(path));
    await writeWhole(path, commit);
  }

  #referencePath(revision: string): string {
    return join(this.directory, 'refs', ...revision.split('/'));
  }

  /** True when a snapshot has the whole file. */
  async hasFile(commit: string, file: string, sizeBytes?: number): Promise<boolean> {
    const info = await stat(this.snapshotPath(commit, file)).catch(() => undefined);
    return info?.isFile() === true && (sizeBytes === undefined || info.size === sizeBytes);
  }

  /**
   * Gives a blob its name in a snapshot. Where links are not allowed, as on Windows without developer mode, the bytes
   * themselves go there: moved when no other name can use the blob yet, copied otherwise. huggingface_hub does so too.
   */
  async link(
    blob: { etag: string; isNew: boolean },
    commit: string,
    file: string,
    makeLink: typeof symlink = symlink,
  ): Promise<void> {
    const source = this.blobPath(blob.etag);
    const path = this.snapshotPath(commit, file);
    await makeDirectory(dirname(path));
    const temporary = `${path}.${randomUUID()}.link`;
    try {
      await makeLink(relative(dirname(path), source), temporary);
    } catch (error) {
      if (!isLinkRefusal(error)) throw error;
      if (blob.isNew) await rename(source, temporary);
      else await copyFile(source, temporary);
    }
    await rename(temporary, path);
  }
}

function isLinkRefusal(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    /^(EPERM|EACCES|ENOTSUP|ENOSYS|EINVAL)$/.test(String(error.code))
  );
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/** True for an ETag that can be a file name, as all of the hub's can. */
export function isEtag(text: string): boolean {
  return /^[\w-]{8,128}$/.test(text) && isSafePath(text);
}

/** Writes a small file so that no reader sees half of it. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
