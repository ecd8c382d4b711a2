import { AnswerReader, type AnswerState } from './answer-reader.js';
import { ApiFailure } from './api-failure.js';
import { request } from './client.js';
import { readEvents } from './event-parser.js';

/** Asks for an answer and reads it as it comes. */
export interface StreamAnswerOptions {
  readonly body: Record<string, unknown>;
  readonly key: string;
  readonly signal: AbortSignal;
  /** Told of every piece; reads the state when it has time for it. */
  readonly onProgress: (read: () => AnswerState) => void;
}

/**
 * Streams an answer.
 * @returns the whole answer.
 * @throws ApiFailure, or the signal's reason.
 */
export async function streamAnswer(options: StreamAnswerOptions): Promise<AnswerState> {
  const reader = new AnswerReader();
  const { body, key, signal, onProgress } = options;
  const read = () => reader.state;
  onProgress(read);
  const response = await request('v1/chat/completions', key, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  if (response.body === null) throw new ApiFailure('', { status: 0 });
  try {
    for await (const data of readEvents(response.body)) {
      if (!reader.take(data)) break;
      onProgress(read);
    }
  } catch (error) {
    if (signal.aborted || error instanceof ApiFailure) throw error;
    throw new ApiFailure('', { status: 0, code: 'connection_lost' });
  }
  if (!reader.hasEnded) throw new ApiFailure('', { status: 0, code: 'connection_lost' });
  return reader.state;
}
