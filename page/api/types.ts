/** `GET /v1/models`. */
export interface ModelList {
  readonly data: readonly { readonly id: string }[];
}

/** The numbers of a model that `GET /page/metrics` gives. */
export interface PageModelFigures {
  readonly waiting: number;
  readonly running: number;
  readonly contextSize: number;
  readonly residentTokens: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly evaluatedTokens: number;
  readonly batchFill: number;
  /** Of the model's own process; null where it shares the server's. */
  readonly memoryBytes: number | null;
  /** Prefixes that the cache keeps in memory outside of the KV cache. */
  readonly prefixCacheBytes: number;
  readonly restarts: number;
}

/** A model of `GET /page/metrics`. */
export interface PageModel {
  readonly name: string;
  readonly state: 'unloaded' | 'loading' | 'ready' | 'unloading' | 'failed';
  readonly inFlight: number;
  /** 0 to 1 while it is loading. */
  readonly progress: number | null;
  readonly error: string | null;
  readonly figures: PageModelFigures | null;
}

/** `GET /page/metrics`: how the server is doing. */
export interface PageMetrics {
  readonly timeMs: number;
  readonly upSeconds: number;
  readonly inFlight: number;
  /** Resident memory of the server's own process. */
  readonly memoryBytes: number;
  readonly machine: { readonly totalBytes: number; readonly freeBytes: number };
  readonly models: readonly PageModel[];
}
