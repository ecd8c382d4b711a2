import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Failure } from '../failures.js';
import { reportFailure } from './error-handling.js';
import { EventStream } from './event-stream.js';

/** How a stream is answered. */
export interface EventAnswer {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly slowReaderTimeoutMs: number;
  /** The data of the event that tells of a failure after the stream has begun. */
  readonly failureData: (failure: Failure) => object;
}

/**
 * Answers with events. The stream begins when the task first asks for it: what fails before is thrown, so that the client
 * gets the status it deserves; what fails later is told as an event.
 */
export async function answerWithEvents(
  { request, reply, slowReaderTimeoutMs, failureData }: EventAnswer,
  task: (open: () => EventStream) => Promise<void>,
): Promise<void> {
  let stream: EventStream | undefined;
  const open = () => {
    stream ??= EventStream.open(request, reply, { slowReaderTimeoutMs });
    return stream;
  };
  try {
    await task(open);
    open().end();
  } catch (error) {
    if (stream === undefined) throw error;
    stream.send(JSON.stringify(failureData(reportFailure(request, error))));
    stream.end();
  }
}
