import type { Addon } from '../native/addon.js';
import { toIsolateSettings } from './options.js';
import { RemoteAddon } from './remote-addon.js';
import { EngineSupervisor } from './supervisor.js';
import type { CrashReport, IsolateOptions } from './types.js';

export { checkIsolateOptions } from './options.js';
export type { CrashReason, CrashReport, InterruptedCall, IsolateOptions } from './types.js';

/** An engine in a process of its own. */
export interface IsolatedEngine {
  /** Does what the addon of this process does, over there. */
  readonly addon: Addon;
  listenToCrashes(listener: (report: CrashReport) => void): void;
  /** Ends the process; calls in flight fail with CLOSED. */
  close(): Promise<void>;
}

/** Engines that nobody holds any more are ended. */
const abandoned = new FinalizationRegistry<EngineSupervisor>((supervisor) => void supervisor.close());

/**
 * Starts an engine in a process of its own.
 * @throws EngineStartError if it cannot be started; AddonError if the addon cannot be loaded there.
 */
export async function startIsolatedEngine(
  isolate: boolean | IsolateOptions | undefined,
): Promise<IsolatedEngine> {
  const supervisor = new EngineSupervisor(toIsolateSettings(isolate));
  await supervisor.start();
  const addon = new RemoteAddon(supervisor);
  abandoned.register(addon, supervisor);
  return {
    addon,
    listenToCrashes: (listener) => supervisor.listenToCrashes(listener),
    close: () => supervisor.close(),
  };
}
