import { basename } from 'node:path';
import { downloadCheckpoint } from '../hub/index.js';
import { modelFolderName } from './general/folder-name.js';
import type { ConvertOptions } from './types.js';

/** Where a checkpoint lies and what its model is called. */
export interface LocatedCheckpoint {
  readonly folder: string;
  /** `owner/repo` of one on the hub, or else the name of the folder. */
  readonly name: string;
}

const onHub = /^(?:hf:|https:\/\/huggingface\.co\/)([^/]+\/[^/@:]+)/;

/** Downloads a checkpoint that is on the hub; a folder is taken as it is. */
export async function locateCheckpoint(source: string, options: ConvertOptions): Promise<LocatedCheckpoint> {
  if (!/^(hf:|https?:)/.test(source)) return { folder: source, name: modelFolderName(source) };
  const { cacheDirectory, token, endpoint, onProgress, signal } = options;
  const folder = await downloadCheckpoint(source, {
    ...(cacheDirectory === undefined ? {} : { cacheDirectory }),
    ...(token === undefined ? {} : { token }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { folder, name: onHub.exec(source)?.[1] ?? basename(folder) };
}
