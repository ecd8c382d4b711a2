import { createError, type LlamaNativeError } from '../errors.js';
import type { EngineReply, EngineRequest } from './protocol.js';

/** How a process ended. */
export interface ProcessEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** The last lines it wrote to its standard error. */
  readonly log: readonly string[];
}

/** What the process tells. */
export interface ProcessListener {
  onReply(reply: EngineReply): void;
  /** What arrived is no message, or one that makes no sense. */
  onGarbage(): void;
}

/** A process that runs an engine, whatever it is spoken to through; gone when this one is. */
export interface EngineProcess {
  readonly processId: number;
  /** Settled when it has ended. */
  readonly ended: Promise<ProcessEnd>;
  send(request: EngineRequest): void;
  /** Ends it at once, whatever it does. */
  kill(): void;
  /** Whether this process stays alive for its sake. */
  setReferenced(referenced: boolean): void;
}

/** Starts a process. @throws EngineStartError if the system refuses. */
export type StartProcess = (listener: ProcessListener) => Promise<EngineProcess>;

/** Engines of this thread at the same time. Each is a process, of 50 MB without its model. */
const mostProcesses = 64;
let processes = 0;

/** Starts a process if there are not too many already. */
export async function startCounted(start: StartProcess, listener: ProcessListener): Promise<EngineProcess> {
  if (processes >= mostProcesses) {
    const message = `${processes} engines run already, which is the most that one program may have. Close some of them.`;
    throw createError('ENGINE_START_FAILED', message, { details: { processes } });
  }
  processes++;
  try {
    const started = await start(listener);
    void started.ended.finally(() => processes--);
    return started;
  } catch (error) {
    processes--;
    throw error;
  }
}

/** Without what is meant for this process: its debugger, its loaders, its coverage. */
export function engineEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...environment } = process.env;
  return environment;
}

/** The error for a process that the system did not start. */
export function startFailed(program: string, cause: Error): LlamaNativeError {
  const advice = {
    EAGAIN: 'The system allows no more processes.',
    EMFILE: 'This process may open no more files.',
    ENFILE: 'The system can open no more files.',
    ENOMEM: 'There is not enough memory.',
    ENOENT: 'There is no such program, or the working directory is gone.',
    EACCES: 'It may not be executed.',
  }[(cause as NodeJS.ErrnoException).code ?? ''];
  return createError(
    'ENGINE_START_FAILED',
    `The process of the engine could not be started with ${program}: ${cause.message}.${advice ? ` ${advice}` : ''}`,
    { cause, details: { execPath: program } },
  );
}
