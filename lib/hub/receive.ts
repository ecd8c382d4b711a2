import { readBody } from './body.js';
import { CorruptDownload } from './download-errors.js';
import { ConnectionFailure, HttpFailure, request } from './http.js';
import type { PartialFile } from './partial-file.js';
import { isTransient, Patience } from './retry.js';
import type { Segment } from './segment-record.js';
import type { HubSettings } from './settings.js';
import type { Transfer } from './transfer.js';

/** The server does not answer ranges with ranges, so a file cannot be had in several of them. */
class RangesIgnored extends Error {
  override readonly name = 'RangesIgnored';
}

/** Fetches what a partial file lacks, over as many connections as the settings say and it has segments. */
export async function receiveAll(
  transfer: Transfer,
  partial: PartialFile,
  settings: HubSettings,
  onBytes: () => void,
): Promise<void> {
  try {
    await new Reception(transfer, partial, settings, onBytes).run();
  } catch (error) {
    if (!(error instanceof RangesIgnored)) throw error;
    await partial.clear();
    await new Reception(transfer, partial, settings, onBytes).run();
  }
}

/** One attempt to fetch the open segments of a file, over several connections. */
class Reception {
  readonly #transfer: Transfer;
  readonly #partial: PartialFile;
  readonly #settings: HubSettings;
  readonly #onBytes: () => void;
  readonly #open: Segment[];
  readonly #stop = new AbortController();
  #workers = 0;

  constructor(transfer: Transfer, partial: PartialFile, settings: HubSettings, onBytes: () => void) {
    this.#transfer = transfer;
    this.#partial = partial;
    const signals = settings.signal === undefined ? [] : [settings.signal];
    this.#settings = { ...settings, signal: AbortSignal.any([...signals, this.#stop.signal]) };
    this.#onBytes = onBytes;
    this.#open = partial.segments.filter(isOpen);
  }

  /** @throws the first failure; by then no connection is left. */
  async run(): Promise<void> {
    this.#workers = Math.min(this.#settings.connections, this.#open.length);
    let failure: { error: unknown } | undefined;
    const work = async () => {
      try {
        await this.#work();
      } catch (error) {
        failure ??= { error };
        this.#stop.abort();
      } finally {
        this.#workers -= 1;
      }
    };
    await Promise.all(Array.from({ length: this.#workers }, work));
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Fetches segments, the first ones first, until none is left. A connection that the server keeps refusing leaves its
   * segment to the others: some servers allow fewer of them than were asked for.
   */
  async #work(): Promise<void> {
    for (let segment = this.#open.shift(); segment !== undefined; segment = this.#open.shift()) {
      try {
        await this.#receiveSegment(segment);
      } catch (error) {
        if (!isTransient(error) || this.#workers === 1) throw error;
        this.#open.unshift(segment);
        return;
      }
    }
  }

  async #receiveSegment(segment: Segment): Promise<void> {
    const patience = new Patience(this.#settings);
    while (isOpen(segment)) {
      const before = segment.receivedBytes;
      try {
        await this.#receiveOnce(segment);
        return;
      } catch (error) {
        if (segment.receivedBytes >= before + this.#settings.tuning.leastBytes) patience.renew();
        if (error instanceof HttpFailure && error.status === 416 && before > 0) await this.#startOver();
        else await patience.afterFailure(error);
      }
    }
  }

  /** One connection: asks for what a segment lacks and appends what comes. */
  async #receiveOnce(segment: Segment): Promise<void> {
    const { url, name, digest, validator } = this.#transfer;
    // Nothing would tell a mix of two versions.
    if (digest === undefined && validator === undefined) await this.#partial.clear();
    const answer = await request(url, this.#settings, rangeHeaders(segment, this.#isWhole, validator));
    try {
      const end = await this.#matchAnswer(answer.response, segment);
      for await (const chunk of readBody(answer, this.#settings)) {
        const room = end - segment.start - segment.receivedBytes;
        if (chunk.length > room) throw new CorruptDownload(name, `${end - segment.start} bytes`, 'more');
        await this.#partial.append(chunk, segment);
        this.#onBytes();
      }
      const receivedBytes = segment.start + segment.receivedBytes;
      if (receivedBytes < end && Number.isFinite(end)) {
        throw new ConnectionFailure(`the connection ended after ${receivedBytes} of ${end} bytes`);
      }
    } finally {
      answer.release();
    }
  }

  /** True while the file is fetched in one segment, which may begin anew. */
  get #isWhole(): boolean {
    return this.#partial.segments.length === 1;
  }

  async #startOver(): Promise<void> {
    if (!this.#isWhole) throw new RangesIgnored();
    await this.#partial.clear();
  }

  /**
   * Makes the partial file fit what the server is about to send, and returns where that ends, which is infinite if
   * nobody knows it.
   */
  async #matchAnswer({ status, headers }: Response, segment: Segment): Promise<number> {
    const isRange = status === 206;
    const [, from, to, ofTotal] =
      /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
    const isAskedFor = Number(from) === segment.start + segment.receivedBytes && !(Number(to) >= segment.end);
    if (isRange && !isAskedFor) {
      if (this.#isWhole) await this.#partial.clear();
      throw new ConnectionFailure('the server sent another range than was asked for');
    }
    // A server that ignores the range, or has a newer version, sends everything from the start.
    if (!isRange) await this.#startOver();
    const announced = isRange ? ofTotal : headers.get('content-length');
    const total = /^\d+$/.test(announced ?? '') ? Number(announced) : undefined;
    const { name, sizeBytes } = this.#transfer;
    if (total !== undefined && sizeBytes !== undefined && total !== sizeBytes) {
      throw new CorruptDownload(name, `${sizeBytes} bytes`, `an announcement of ${total} bytes`);
    }
    return Number.isFinite(segment.end) ? segment.end : (total ?? segment.end);
  }
}

function isOpen(segment: Segment): boolean {
  return segment.start + segment.receivedBytes < segment.end;
}

/** A whole file from its start is asked for without a range, which every server understands. */
function rangeHeaders(
  segment: Segment,
  isWhole: boolean,
  validator: string | undefined,
): Record<string, string> {
  const from = segment.start + segment.receivedBytes;
  if (isWhole && from === 0) return {};
  const to = isWhole ? '' : segment.end - 1;
  return { range: `bytes=${from}-${to}`, ...(validator === undefined ? {} : { 'if-range': validator }) };
}
