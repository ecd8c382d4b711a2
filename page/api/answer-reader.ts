import type { AnswerEnd, AnswerFigures } from '../conversation/types.js';
import { ApiFailure, toApiFailure } from './api-failure.js';

interface Chunk {
  readonly model?: string;
  readonly error?: unknown;
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens?: number;
    readonly completion_tokens?: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number };
  } | null;
  /** The server's own measure, which knows nothing of the network. */
  readonly timings?: { readonly predicted_per_second?: number };
}

/** An answer as far as it has come. */
export interface AnswerState {
  readonly text: string;
  readonly reasoning: string;
  /** How long the model reasoned; missing if it did not. */
  readonly reasoningMs?: number;
  readonly model?: string;
  readonly end?: AnswerEnd;
  readonly figures: AnswerFigures;
}

/** Puts an answer together from the events of a chat completion, and measures it. */
export class AnswerReader {
  #text = '';
  #reasoning = '';
  #model: string | undefined;
  #end: AnswerEnd | undefined;
  #usage: Chunk['usage'];
  #measuredSpeed: number | undefined;
  #pieces = 0;
  #firstMs: number | undefined;
  #lastMs: number | undefined;
  #firstTextMs: number | undefined;
  readonly #beganMs: number;
  readonly #now: () => number;

  /** @param now gives milliseconds; another clock in tests. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#beganMs = now();
  }

  /**
   * Takes the data of one event.
   * @returns false at the end of the stream.
   * @throws ApiFailure if the event tells of a failure.
   */
  take(data: string): boolean {
    if (data === '[DONE]') return false;
    const chunk = parseChunk(data);
    if (chunk.error !== undefined) throw toApiFailure(chunk, 200);
    this.#model ??= chunk.model;
    if (chunk.usage) this.#usage = chunk.usage;
    this.#measuredSpeed ??= chunk.timings?.predicted_per_second;
    const choice = chunk.choices?.[0];
    this.#add(choice?.delta?.reasoning_content ?? '', choice?.delta?.content ?? '');
    if (choice?.finish_reason) this.#end = choice.finish_reason === 'length' ? 'length' : 'complete';
    return true;
  }

  /** True once the model has said why it stopped. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** What there is by now. */
  get state(): AnswerState {
    const reasoningMs = this.#reasoningMs();
    return {
      text: this.#text,
      reasoning: this.#reasoning,
      figures: this.#figures(),
      ...(reasoningMs !== undefined && { reasoningMs }),
      ...(this.#model !== undefined && { model: this.#model }),
      ...(this.#end !== undefined && { end: this.#end }),
    };
  }

  #add(reasoning: string, text: string): void {
    if (reasoning === '' && text === '') return;
    const now = this.#now();
    this.#firstMs ??= now;
    this.#lastMs = now;
    this.#pieces += 1;
    this.#reasoning += reasoning;
    this.#text += text;
    if (text !== '') this.#firstTextMs ??= now;
  }

  #reasoningMs(): number | undefined {
    if (this.#reasoning === '' || this.#firstMs === undefined) return undefined;
    return (this.#firstTextMs ?? this.#now()) - this.#firstMs;
  }

  /** Until the server has counted the tokens, each piece counts as one, which it nearly always is. */
  #figures(): AnswerFigures {
    const usage = this.#usage;
    const completionTokens = usage?.completion_tokens ?? this.#pieces;
    const cachedTokens = usage?.prompt_tokens_details?.cached_tokens;
    const firstMs = this.#firstMs;
    const spanMs = firstMs === undefined || this.#lastMs === undefined ? 0 : this.#lastMs - firstMs;
    // The first token comes at the beginning of the span, so that it holds one less.
    const seenSpeed = spanMs > 0 ? ((completionTokens - 1) * 1000) / spanMs : undefined;
    const tokensPerSecond = this.#measuredSpeed ?? seenSpeed;
    return {
      completionTokens,
      totalMs: (this.hasEnded ? (this.#lastMs ?? this.#beganMs) : this.#now()) - this.#beganMs,
      ...(usage?.prompt_tokens !== undefined && { promptTokens: usage.prompt_tokens }),
      ...(cachedTokens !== undefined && { cachedTokens }),
      ...(firstMs !== undefined && { firstTokenMs: firstMs - this.#beganMs }),
      ...(tokensPerSecond !== undefined && tokensPerSecond > 0 && { tokensPerSecond }),
    };
  }
}

function parseChunk(data: string): Chunk {
  try {
    return JSON.parse(data) as Chunk;
  } catch {
    throw new ApiFailure(`The server sent an event that is not JSON: ${data.slice(0, 200)}`, { status: 200 });
  }
}
