import type { ServerContext } from '../context.js';

/** A running gRPC server. */
export interface GrpcService {
  readonly port: number;
  /** Lets nobody in any more, and waits for the calls that run, for a bounded time. */
  readonly close: () => Promise<void>;
}

/** Starts to speak gRPC, if the settings ask for it. */
export async function startGrpc(_context: ServerContext): Promise<GrpcService | undefined> {
  return undefined;
}
