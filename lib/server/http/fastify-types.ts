import type {} from 'fastify';
import type { RequestScope } from '../workload/request-scope.js';

/** Who may call a route: anyone, whoever has a key (the default), or whoever has an administrator's key. */
export type RouteAccess = 'public' | 'client' | 'admin';

/** Who asks. */
export interface Client {
  /** Name of the key, never the key; `anonymous` without keys. */
  readonly name: string;
  readonly isAdmin: boolean;
  /** Requests that may run at once; undefined without a limit. */
  readonly concurrency: number | undefined;
}

/** Who asks where no keys are configured: whoever reaches the machine's loopback. */
export const anonymous: Client = { name: 'anonymous', isAdmin: true, concurrency: undefined };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
  interface FastifyRequest {
    /** Set by the security room before anything of the request is read. */
    client: Client;
    /** Ends with the request: see {@link RequestScope}. */
    scope: RequestScope;
  }
}
