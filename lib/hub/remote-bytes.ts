import { createError } from '../errors.js';
import type { ByteSource } from '../gguf/byte-source.js';
import { type Answer, ConnectionFailure, connectionFailure, request } from './http.js';
import { Patience } from './retry.js';
import type { HubSettings } from './settings.js';

/** Asked for at once. The body is read only as far as it is needed, and the connection ended then. */
const rangeBytes = 32 * 1024 * 1024;

/** One answer of a server, and how far its body has been read. */
interface OpenRange {
  readonly answer: Answer;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly start: number;
  /** Place in the file of what comes next. */
  position: number;
  /** What came in and was not asked for yet. */
  rest: Uint8Array;
}

/**
 * The bytes of a file on a web server, by range requests. One is enough for any header but the largest: it stays open,
 * and is read from in small steps. A server that ignores ranges sends the file from its start, which serves as well.
 */
export class RemoteBytes implements ByteSource {
  readonly name: string;
  readonly firstReadBytes = 256 * 1024;
  readonly #url: string;
  readonly #settings: HubSettings;
  #sizeBytes: number | undefined;
  #range: OpenRange | undefined;

  private constructor(name: string, url: string, settings: HubSettings) {
    this.name = name;
    this.#url = url;
    this.#settings = settings;
  }

  /**
   * Asks for the beginning of a file.
   * @param name what errors call it.
   * @throws what {@link request} throws; DOWNLOAD_FAILED if the server does not say how large the file is.
   */
  static async open(name: string, url: string, settings: HubSettings): Promise<RemoteBytes> {
    const bytes = new RemoteBytes(name, url, settings);
    await bytes.#persist(async () => {
      await bytes.#open(0);
    });
    return bytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes ?? 0;
  }

  async readInto(target: Uint8Array, start: number): Promise<void> {
    let filled = 0;
    const fill = async () => {
      while (filled < target.length) {
        const before = filled;
        filled += await this.#take(target.subarray(filled), start + filled);
        if (filled > before) patience.renew();
      }
    };
    const patience = new Patience(this.#settings);
    await this.#persist(fill, patience);
  }

  /** Ends the connection. */
  close(): void {
    this.#range?.answer.release();
    this.#range = undefined;
  }

  async #persist(work: () => Promise<void>, patience = new Patience(this.#settings)): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        this.close();
        await patience.afterFailure(error);
      }
    }
  }

  /** Puts what comes next at `start` into the target; returns how much that was. */
  async #take(target: Uint8Array, start: number): Promise<number> {
    const range = this.#range ?? (await this.#open(start));
    if (range.rest.length === 0) {
      const { done, value } = await this.#next(range);
      if (done) {
        this.close();
        if (range.position > range.start && range.position % rangeBytes === 0) return 0;
        throw new ConnectionFailure(
          `the connection ended after ${range.position} of ${this.sizeBytes} bytes`,
        );
      }
      range.rest = value;
    }
    // A server that ignored the range sends what is known already once more.
    const skipped = Math.min(start - range.position, range.rest.length);
    const taken = range.rest.subarray(skipped, skipped + target.length);
    target.set(taken);
    range.position += skipped + taken.length;
    range.rest = range.rest.subarray(skipped + taken.length);
    return taken.length;
  }

  async #next(range: OpenRange): Promise<{ done: boolean; value: Uint8Array }> {
    const { idleTimeoutMs } = this.#settings.tuning;
    let isIdle = false;
    const timer = setTimeout(() => {
      isIdle = true;
      range.answer.release();
    }, idleTimeoutMs);
    try {
      const { done, value } = await range.reader.read();
      return { done, value: value ?? new Uint8Array() };
    } catch (error) {
      const { signal } = this.#settings;
      if (signal?.aborted) {
        throw createError('ABORTED', `Reading ${this.name} was cancelled.`, { cause: signal.reason });
      }
      const what = isIdle ? `no byte came for ${idleTimeoutMs / 1000} s` : 'the connection was cut';
      throw connectionFailure(what, error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #open(start: number): Promise<OpenRange> {
    const end = start + rangeBytes - (start % rangeBytes) - 1;
    const answer = await request(this.#url, this.#settings, { range: `bytes=${start}-${end}` });
    const { status, headers, body } = answer.response;
    const isPart = status === 206;
    const part = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '');
    const total = isPart ? part?.[2] : (headers.get('content-length') ?? undefined);
    const size = Number(total);
    if (total === undefined || !Number.isSafeInteger(size) || body === null) {
      answer.release();
      throw unknownSize(this.name);
    }
    if (isPart && Number(part?.[1]) !== start) {
      answer.release();
      throw new ConnectionFailure(`the server sent the bytes from ${part?.[1]}, not those from ${start}`);
    }
    if (this.#sizeBytes !== undefined && this.#sizeBytes !== size) {
      answer.release();
      throw changed(this.name, this.#sizeBytes, size);
    }
    this.#sizeBytes = size;
    this.#range = {
      answer,
      reader: body.getReader(),
      start: isPart ? start : 0,
      position: isPart ? start : 0,
      rest: new Uint8Array(),
    };
    return this.#range;
  }
}

function unknownSize(name: string): Error {
  return createError(
    'DOWNLOAD_FAILED',
    `The server does not say how large ${name} is, so nothing of it can be checked. Download the file and name its path.`,
  );
}

function changed(name: string, before: number, after: number): Error {
  return createError(
    'DOWNLOAD_FAILED',
    `${name} changed from ${before} to ${after} bytes while it was read. Try again.`,
  );
}
