import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Failure, RequestError, toFailure } from '../failures.js';

/** Puts a failure into the shape of an API. */
export type FailureShape = (failure: Failure, request: FastifyRequest) => object;

/** The status of a failure, where an API answers with another one than most. */
export type FailureStatus = (failure: Failure, request: FastifyRequest) => number;

const usualStatus: FailureStatus = ({ status }) => status;

function answerFailure(
  reply: FastifyReply,
  request: FastifyRequest,
  failure: Failure,
  shape: FailureShape,
  status: FailureStatus = usualStatus,
) {
  if (failure.retryAfterSeconds !== undefined) reply.header('retry-after', failure.retryAfterSeconds);
  return reply
    .code(status(failure, request))
    .type('application/json; charset=utf-8')
    .send(shape(failure, request));
}

/** What a client is told of an error, which is logged where it is the server's own trouble. */
export function reportFailure(request: FastifyRequest, error: unknown): Failure {
  const reason = request.scope?.reasonOf(error) ?? error;
  const failure = toFailure(reason);
  if (failure.status >= 500) request.log.error({ err: reason, code: failure.code }, 'the request failed');
  else request.log.debug({ code: failure.code, param: failure.param }, 'the request was refused');
  return failure;
}

/** Answers failures of an API's routes in the API's own shape, and with its own status codes if it has some. */
export function handleErrors(app: FastifyInstance, shape: FailureShape, status?: FailureStatus): void {
  app.setErrorHandler((error, request, reply) =>
    answerFailure(reply, request, reportFailure(request, error), shape, status),
  );
}

/** Answers what no route is there for. */
export function handleUnknownRoutes(app: FastifyInstance, shape: FailureShape): void {
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${request.url.split('?', 1)[0]} here. /docs lists what there is.`;
    answerFailure(reply, request, new RequestError('not-found', 'unknown_url', message), shape);
  });
}
