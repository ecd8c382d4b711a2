import type { ModelPool } from './models/model-pool.js';
import type { Clients } from './security/clients.js';
import type { ServerSettings } from './settings.js';
import type { Work } from './workload/work.js';

/** What every room of the server is given. */
export interface ServerContext {
  readonly settings: ServerSettings;
  /** Who may ask: one for all protocols. */
  readonly clients: Clients;
  readonly models: ModelPool;
  readonly work: Work;
  /** When the server began, in milliseconds since 1970. */
  readonly startedMs: number;
}
