import type { LoadProgress } from '../model/types.js';
import type { MemoryFit } from './memory.js';

/** How a download goes on: the `download` member of {@link LoadProgress}. */
export type DownloadProgress = Extract<LoadProgress, { stage: 'download' }>;

/** What is worth knowing of a model before it is fetched. */
export interface ModelWarning {
  readonly kind: 'memory';
  /** For people. */
  readonly message: string;
  /** Path of the file in the repository. */
  readonly file: string;
  readonly fit: MemoryFit;
}

/** Where cached models are kept. */
export interface CacheOptions {
  /**
   * The cache folder, laid out as the Hugging Face tools lay out theirs, so that files are shared with them.
   * Default: `HF_HUB_CACHE`, then `hub` in `HF_HOME`, then `~/.cache/huggingface/hub`.
   */
  cacheDirectory?: string;
}

/** Options of {@link resolveModel}. */
export interface ResolveModelOptions extends CacheOptions {
  /** Access token for the hub. Default: `HF_TOKEN`, then the token file of the Hugging Face tools. */
  token?: string;
  /** The hub's address. Default: `HF_ENDPOINT`, then the Hugging Face hub. */
  endpoint?: string;
  /** Use only what is in the cache. Default: true when `HF_HUB_OFFLINE` is set to 1. */
  offline?: boolean;
  /**
   * Ask the hub or the web server whether there is a newer version, though the model is in the cache. Default
   * false: what is in the cache is used without asking.
   */
  update?: boolean;
  /**
   * Connections over which a file of 32 MiB or more is fetched, 1 to 16. Default 4. Servers that do not send parts of
   * files are asked over one.
   */
  connections?: number;
  /** Told about ten times a second how the download goes on, and once for each file when it is complete. */
  onProgress?: (progress: DownloadProgress) => void;
  /**
   * Told before a download begins that the model will not fit this machine's memory. It is downloaded all the same.
   * Without a listener nothing is estimated.
   */
  onWarning?: (warning: ModelWarning) => void;
  /** Cancels the download; what was received is kept and resumed by the next call. */
  signal?: AbortSignal;
}

/** A model named by a path on this machine. */
export interface FileSource {
  readonly kind: 'file';
  /** Absolute, with `~` and `file:` URLs resolved. */
  readonly path: string;
}

/** A model named by its repository on the hub. */
export interface HubSource {
  readonly kind: 'hub';
  /** `owner/name`. */
  readonly repository: string;
  /** Branch, tag or commit; undefined for `main`. */
  readonly revision?: string;
  /** Path of a file in the repository. */
  readonly file?: string;
  /** Name of a quantization, such as `Q4_K_M`; matched without regard to case. */
  readonly quantization?: string;
}

/** A model named by a web address. */
export interface UrlSource {
  readonly kind: 'url';
  readonly url: string;
}

/** Where a model comes from; see {@link parseModelSource}. */
export type ModelSource = FileSource | HubSource | UrlSource;

/** A GGUF file in the cache. */
export interface CachedModel {
  /** What `loadModel` and `removeCachedModel` take for this very file. */
  readonly source: string;
  /** `owner/name` on the hub; for a file from elsewhere, its web address. */
  readonly repository: string;
  /** The commit; for a file from elsewhere, the version that the server gave (its ETag), or an empty text. */
  readonly revision: string;
  /** Path in the repository. */
  readonly file: string;
  /** Absolute path on this machine. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly lastModified: Date;
}
