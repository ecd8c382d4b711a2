import { randomUUID } from 'node:crypto';
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerUnaryCall,
  ServerWritableStream,
  StatusObject,
} from '@grpc/grpc-js';
import type { FastifyBaseLogger } from 'fastify';
import type { ServerContext } from '../context.js';
import { RequestError, toFailure } from '../failures.js';
import type { Client } from '../http/fastify-types.js';
import { keyOf } from '../security/clients.js';
import { RequestRate } from '../security/request-rate.js';
import { RequestScope } from '../workload/request-scope.js';
import { toStatus } from './status.js';

/** What calls of all kinds have in common. */
type SurfaceCall = ServerUnaryCall<unknown, object> | ServerWritableStream<unknown, object>;

/** A call, as its method sees it. */
export interface Call {
  readonly scope: RequestScope;
  readonly client: Client;
}

/**
 * Sends a message of a stream.
 * @returns a promise where the client has to be waited for.
 * @throws the reason, when the call has been cancelled: nobody is left to send to.
 */
export type Send = (message: object) => Promise<void> | undefined;

/** What calls are made with. */
export interface CallSettings {
  readonly context: ServerContext;
  readonly newMetadata: () => Metadata;
  readonly log: FastifyBaseLogger | undefined;
}

interface ActiveCall {
  readonly scope: RequestScope;
  readonly ended: Promise<void>;
}

function textOf(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value : undefined;
}

/** `127.0.0.1:40000` without the port, which is another one for each connection. */
function addressOf(peer: string): string {
  return peer.replace(/:\d+$/, '');
}

/** The calls of a gRPC server: who may make them, how they are cancelled, and how their failures are told. */
export class Calls {
  readonly #settings: CallSettings;
  readonly #rate: RequestRate;
  readonly #active = new Set<ActiveCall>();

  constructor(settings: CallSettings) {
    this.#settings = settings;
    this.#rate = new RequestRate(settings.context.settings.requestsPerMinute);
  }

  /** A method that answers once. */
  unary<Request>(
    method: (request: Request, call: Call) => Promise<object>,
  ): handleUnaryCall<Request, object> {
    return (surface, callback) => {
      this.#run(surface, (call) => method(surface.request, call)).then(({ answer, status }) =>
        status === undefined ? callback(null, answer ?? {}) : callback(status),
      );
    };
  }

  /** A method that answers with a stream. */
  stream<Request>(
    method: (request: Request, call: Call, send: Send) => Promise<void>,
  ): handleServerStreamingCall<Request, object> {
    return (surface) => {
      this.#run(surface, (call) => method(surface.request, call, this.#sender(surface, call.scope))).then(
        ({ status }) => {
          if (status === undefined) surface.end();
          else if (!surface.cancelled) surface.emit('error', status);
        },
      );
    };
  }

  /** Resolves when no call goes on. */
  async allEnded(): Promise<void> {
    await Promise.all([...this.#active].map(({ ended }) => ended));
  }

  /** Ends all calls. */
  cancelAll(reason: RequestError): void {
    for (const { scope } of this.#active) scope.cancel(reason);
  }

  /** Never rejects: a failure becomes a status. */
  async #run<Answer>(
    surface: SurfaceCall,
    task: (call: Call) => Promise<Answer>,
  ): Promise<{ answer?: Answer; status?: StatusObject }> {
    const scope = this.#openScope(surface);
    let end = () => {};
    const active = { scope, ended: new Promise<void>((resolve) => (end = resolve)) };
    this.#active.add(active);
    try {
      const client = this.#clientOf(surface.metadata);
      this.#rate.take(client, addressOf(surface.getPeer()));
      return { answer: await task({ scope, client }) };
    } catch (error) {
      return { status: this.#tell(scope, error) };
    } finally {
      scope.end();
      this.#active.delete(active);
      end();
    }
  }

  /** Ends with the call's deadline or the server's limit, and when the client cancels or goes away. */
  #openScope(surface: SurfaceCall): RequestScope {
    const { requestTimeoutMs } = this.#settings.context.settings;
    const leftMs = Math.max(1, Number(surface.getDeadline()) - Date.now());
    const limitMs = requestTimeoutMs === 0 ? Number.POSITIVE_INFINITY : requestTimeoutMs;
    const timeoutMs = Math.min(leftMs, limitMs);
    const limit = Number.isFinite(timeoutMs) ? Math.ceil(timeoutMs) : 0;
    const scope = new RequestScope(randomUUID(), limit, textOf(surface.metadata, 'traceparent'));
    const cancel = () =>
      scope.cancel(new RequestError('cancelled', 'cancelled', 'The client cancelled the call or went away.'));
    if (surface.cancelled) cancel();
    surface.on('cancelled', cancel);
    return scope;
  }

  #clientOf(metadata: Metadata): Client {
    const authorization = textOf(metadata, 'authorization');
    const key = keyOf({
      ...(authorization !== undefined && { authorization }),
      'x-api-key': textOf(metadata, 'x-api-key'),
    });
    const client = this.#settings.context.clients.find(key);
    if (client !== undefined) return client;
    const message =
      'This server wants a key in the metadata, as in `authorization: Bearer …`; none of its keys was shown.';
    throw new RequestError('unauthenticated', 'invalid_api_key', message);
  }

  #tell(scope: RequestScope, error: unknown): StatusObject {
    const reason = scope.reasonOf(error);
    const failure = toFailure(reason);
    const { log, newMetadata } = this.#settings;
    if (failure.status >= 500) {
      log?.error({ err: reason, code: failure.code, requestId: scope.id }, 'the call failed');
    }
    return toStatus(failure, scope.id, newMetadata());
  }

  #sender(surface: ServerWritableStream<unknown, object>, scope: RequestScope): Send {
    const { slowReaderTimeoutMs } = this.#settings.context.settings;
    return (message) => {
      if (scope.signal.aborted) throw scope.signal.reason;
      if (surface.write(message)) return undefined;
      return new Promise((resolve) => {
        const settle = () => {
          clearTimeout(timer);
          surface.off('drain', settle).off('cancelled', settle);
          resolve();
        };
        const timer = setTimeout(() => {
          const text = `The client read nothing for ${slowReaderTimeoutMs} ms.`;
          scope.cancel(new RequestError('cancelled', 'slow_reader', text));
          settle();
        }, slowReaderTimeoutMs);
        surface.on('drain', settle).on('cancelled', settle);
      });
    };
  }
}
