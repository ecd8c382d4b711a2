import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { UtilityChild, UtilityProcessModule } from '../../lib/isolate/utility-process.js';

/** Stands in for Electron's module: child processes of Node.js that speak through messages, as its own do. */
export const utilityProcesses: UtilityProcessModule = {
  fork(modulePath, programArguments, { env }) {
    const shim = fileURLToPath(new URL('./utility-process-shim.mjs', import.meta.url));
    const child = fork(modulePath, programArguments, {
      env,
      execArgv: ['--import', shim],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const signals: Record<string, number> = { SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11 };
    const utility: UtilityChild = {
      get pid() {
        return child.pid;
      },
      stderr: child.stderr,
      postMessage: (message) => child.send(message as never),
      on: (event, listener) => {
        child.on(event, listener);
        return utility;
      },
      once: (event: string, listener: (code: number) => void) => {
        // Electron tells the number of the signal in place of the status.
        child.once(event, (code: number | null, signal: string | null) =>
          listener(code ?? signals[signal ?? ''] ?? 1),
        );
        return utility;
      },
    };
    return utility;
  },
};
