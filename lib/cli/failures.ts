import { type ErrorCode, LlamaNativeError } from '../errors.js';
import { type CommandContext, exitCodes, writeJson } from './context.js';

/** The command line was used wrongly: nothing was done, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** An error as the command line tells it. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: number;
}

/** What to type next, where the command line knows more than the library's message. */
const hints: Partial<Record<ErrorCode, string>> = {
  ADDON_NOT_FOUND: '`llama-native doctor` says what is missing; `llama-native build` compiles the addon.',
  ADDON_LOAD_FAILED: '`llama-native doctor` says what is missing; `llama-native build` compiles the addon.',
  TOOL_MISSING: '`llama-native doctor` lists what a build needs.',
  BUILD_FAILED: 'run the build again with --verbose to see all of its output.',
  MODEL_NOT_FOUND:
    '`llama-native list` shows what is downloaded; `llama-native pull hf:owner/repo` fetches more.',
  MODEL_INVALID: 'if it was downloaded, remove it with `llama-native rm` and fetch it again.',
  OUT_OF_MEMORY: 'try a smaller --context-size, fewer --gpu-layers or a smaller quantization.',
  CONTEXT_CREATE_FAILED: 'try a smaller --context-size.',
  PROMPT_TOO_LONG: 'a larger --context-size makes room; in a chat, so does /reset.',
  CONTEXT_FULL: 'a larger --context-size makes room; in a chat, so does /reset.',
  NO_CHAT_TEMPLATE:
    'give one with --chat-template-file, or complete plain text with `llama-native run --raw`.',
  CHAT_TEMPLATE_FAILED: 'another template can be given with --chat-template-file.',
  UNAUTHORIZED: 'set HF_TOKEN to a token that may read the repository.',
  DOWNLOAD_FAILED: 'run the same command again: the download goes on where it stopped.',
  OUTPUT_EXISTS: 'add --overwrite to replace it.',
  DISK_FULL: '`llama-native list` shows what is downloaded, and `llama-native rm` removes it.',
};

const debugHint = 'set LLAMA_NATIVE_DEBUG=1 to see where it happened.';

/** Turns anything thrown into what the user is told. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError) {
    return { code: 'INVALID_ARGUMENT', message: error.message, hint: error.hint, exitCode: exitCodes.usage };
  }
  if (LlamaNativeError.isInstance(error)) {
    return {
      code: error.code,
      message: error.message,
      hint: hints[error.code],
      exitCode: exitCodeOf(error.code),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'INTERNAL', message, hint: debugHint, exitCode: exitCodes.failure };
}

function exitCodeOf(code: ErrorCode): number {
  if (code === 'ABORTED') {
    return exitCodes.interrupted;
  }
  return code === 'INVALID_ARGUMENT' || code === 'SOURCE_INVALID' ? exitCodes.usage : exitCodes.failure;
}

/** Tells the user about an error: as text on stderr, or as one JSON object on stdout. */
export function reportFailure(context: CommandContext, error: unknown, asJson: boolean): Failure {
  const failure = describeFailure(error);
  if (asJson) {
    writeJson(context, { error: { code: failure.code, message: failure.message } });
  } else {
    writeFailure(context, failure);
  }
  if (context.environment.LLAMA_NATIVE_DEBUG) {
    context.notes.write(`${debugText(error)}\n`);
  }
  return failure;
}

/** Writes an error as text on stderr. */
export function writeFailure(context: CommandContext, failure: Failure): void {
  const { notes } = context;
  if (failure.code === 'ABORTED') {
    notes.write(`${notes.colours.dim('Cancelled.')}\n`);
    return;
  }
  notes.write(`${notes.colours.red('error:')} ${failure.message}\n`);
  if (failure.hint !== undefined) {
    notes.write(`${notes.colours.yellow('hint:')} ${failure.hint}\n`);
  }
  notes.write(`${notes.colours.dim(`code: ${failure.code}`)}\n`);
}

function debugText(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by: ${debugText(error.cause)}`;
}
