/**
 * Every error a user of this package can meet. Each carries a stable `code` from {@link errorCodes}; the code, not
 * the message, is what programs should test. `docs/errors.md` explains each one and what to do about it.
 */

/** What can go wrong, by code: the class that is thrown for it, and one line of meaning. */
export const errorCodes = {
  INVALID_ARGUMENT: 'An argument has the wrong type or lies outside its range.',
  INVALID_HANDLE: 'A native object was passed where another kind was expected.',
  CLOSED: 'The model, context or chat was closed before or during the call.',
  ABORTED: 'The call was cancelled through its AbortSignal.',
  BUSY: 'The chat is still answering; wait for the answer or abort it.',

  ADDON_NOT_FOUND: 'No compiled addon for this platform was found.',
  ADDON_LOAD_FAILED: 'A compiled addon was found, but the operating system could not load it.',
  BUILD_FAILED: 'Compiling the addon from source failed.',
  TOOL_MISSING: 'A program needed for the build (compiler, CMake) is not installed.',

  MODEL_NOT_FOUND: 'The model file does not exist, or it is not a file.',
  MODEL_INVALID: 'The file is not a model in GGUF format, or it is damaged or truncated.',
  MODEL_UNSUPPORTED: 'The model is well-formed, but llama.cpp cannot load it.',
  MODEL_LOAD_FAILED: 'llama.cpp could not load the model; the message carries its reason.',
  NO_WEIGHTS: 'The model was loaded with `vocabOnly`, so it can tokenize but not evaluate.',
  OUT_OF_MEMORY: 'Memory for the model or its context could not be allocated.',
  CONTEXT_CREATE_FAILED: 'llama.cpp could not create a context with these settings.',

  DRAFT_MODEL_MISMATCH: 'The draft model has another vocabulary than the model it guesses for.',
  ADAPTER_MISMATCH: 'The LoRA adapter was made for another model than the one it should change.',

  PROMPT_TOO_LONG: 'The prompt does not fit the context.',
  QUEUE_FULL: 'As many generations wait as the queue takes.',
  CONTEXT_FULL: 'The context has no room for more tokens.',
  INVALID_TOKEN: 'A token id lies outside the vocabulary.',
  INVALID_GRAMMAR: 'A grammar cannot be parsed, or it would take too long to follow.',
  INVALID_SCHEMA: 'A JSON schema is not valid, or a grammar cannot express a part of it.',
  INVALID_REGEX: 'A regular expression uses something that a grammar cannot express.',
  OBJECT_INCOMPLETE: 'The answer was cut before its form was complete.',
  OBJECT_INVALID: 'The answer does not fit its schema.',
  INVALID_SEQUENCE: 'A sequence id lies outside the context, or is in use.',
  NO_LOGITS: 'Logits were asked for at a position that was not evaluated with output.',
  NO_TOKEN_ALLOWED: 'The sampling options or the grammar leave no token to choose.',
  LOGITS_PROCESSOR_FAILED: 'A logits processor failed, or gave back something else than logits.',
  DECODE_FAILED: 'llama.cpp failed while evaluating a batch.',
  STATE_INVALID: 'Saved state is damaged or was made by another model or version.',
  FILE_ACCESS_FAILED: 'A file could not be read or written; the cause is the error of the system.',
  NO_CHAT_TEMPLATE: 'The model brings no chat template and none was given.',
  CHAT_TEMPLATE_FAILED: 'The chat template could not be parsed or rendered.',
  CHAT_OUTPUT_INVALID: 'The answer of the model does not follow the format of its chat template.',
  CONTENT_UNSUPPORTED: 'A message holds a part, such as an image, that cannot be used yet.',
  INVALID_MESSAGES: 'The messages are not a conversation: a role is unknown or out of order.',
  INVALID_TOOL: 'A tool is described wrongly: its name, parameters or function.',
  TOOL_NOT_FOUND: 'The model, or the caller, named a tool that there is none of.',
  TOOL_ARGUMENTS_INVALID: 'The arguments that the model wrote do not fit the tool.',
  TOOL_FAILED: 'A tool threw an error; the cause is that error.',
  TOOL_TIMEOUT: 'A tool did not return in time.',
  TOOL_RESULT_INVALID: 'A tool returned more than the bound, or what JSON cannot express.',

  SOURCE_INVALID: 'The model source is neither a path, nor hf:owner/repo, nor an https URL.',
  REPOSITORY_NOT_FOUND: 'The repository or revision does not exist on the hub, or is private.',
  FILE_NOT_IN_REPOSITORY: 'The repository has no such file or quantization.',
  UNAUTHORIZED: 'The hub asks for a token, or the token has no access.',
  DOWNLOAD_FAILED: 'The download failed after retries; what was received is kept and resumed.',
  DOWNLOAD_CORRUPT: 'The downloaded bytes do not match the announced size or hash.',
  DISK_FULL: 'There is not enough room on the disk.',

  OUTPUT_EXISTS: 'The file to write exists already.',
  CHECKPOINT_INVALID: 'A checkpoint is damaged, incomplete, or none.',
  CHECKPOINT_UNSUPPORTED: 'The checkpoint is well-formed, but of a kind that cannot be converted.',
  QUANTIZATION_FAILED: 'llama.cpp could not quantize the model; the message carries its reason.',
  IMATRIX_INVALID: 'The importance matrix is damaged, or was made for another model.',
  REFERENCE_INVALID:
    'Log-probabilities to compare with are damaged, or of another vocabulary, text or chunk size.',

  ENGINE_CRASHED: 'The process of an isolated engine ended unasked; the next call starts another one.',
  ENGINE_START_FAILED: 'The process of an isolated engine could not be started.',
  SERVER_START_FAILED: 'The server could not listen on its address.',

  NOT_IN_PROCESS: 'The call works only with a model in this process, and this one was loaded with `isolate`.',

  INTERNAL: 'A defect in llama-native; please report it.',
} as const;

/** A stable error code; see {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes;

const marker = Symbol.for('llama-native.error');

/** Facts about an error that a program may want to read, such as the numbers in its message. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** Base class of all errors of this package. */
export class LlamaNativeError extends Error {
  override readonly name: string = 'LlamaNativeError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    Object.defineProperty(this, marker, { value: true });
  }

  /** True for errors of this package, also when several copies of it are loaded. */
  static isInstance(value: unknown): value is LlamaNativeError {
    return typeof value === 'object' && value !== null && marker in value;
  }
}

/** A bad argument, handle or token: the call was refused before anything ran. */
export class InvalidArgumentError extends LlamaNativeError {
  override readonly name = 'InvalidArgumentError';
}

/** The object was closed. */
export class ClosedError extends LlamaNativeError {
  override readonly name = 'ClosedError';
}

/** The call was cancelled. `name` is `AbortError`, as in the rest of Node.js. */
export class AbortError extends LlamaNativeError {
  override readonly name = 'AbortError';
}

/** The addon could not be found, loaded or built. */
export class AddonError extends LlamaNativeError {
  override readonly name = 'AddonError';
}

/** A model could not be loaded. */
export class ModelLoadError extends LlamaNativeError {
  override readonly name = 'ModelLoadError';
}

/** A context could not be created, or an evaluation in it failed. */
export class ContextError extends LlamaNativeError {
  override readonly name = 'ContextError';
}

/** A conversation could not be rendered or continued. */
export class ChatError extends LlamaNativeError {
  override readonly name = 'ChatError';
}

/** An answer that should have a form was cut, or does not fit its schema. */
export class ObjectError extends LlamaNativeError {
  override readonly name = 'ObjectError';
}

/** A tool is described wrongly, or a call of it failed. */
export class ToolError extends LlamaNativeError {
  override readonly name = 'ToolError';
}

/** A model could not be found on the hub or fetched from it. */
export class DownloadError extends LlamaNativeError {
  override readonly name = 'DownloadError';
}

/** A model could not be converted into another file, or quantized. */
export class ConversionError extends LlamaNativeError {
  override readonly name = 'ConversionError';
}

/** The process of an isolated engine ended unasked. `details` tells how; see {@link CrashReport}. */
export class EngineCrashedError extends LlamaNativeError {
  override readonly name = 'EngineCrashedError';
}

/** The process of an isolated engine could not be started, or is not started again after too many crashes. */
export class EngineStartError extends LlamaNativeError {
  override readonly name = 'EngineStartError';
}

type ErrorClass = new (
  code: ErrorCode,
  message: string,
  options?: { cause?: unknown; details?: ErrorDetails },
) => LlamaNativeError;

const classes: Record<ErrorCode, ErrorClass> = {
  INVALID_ARGUMENT: InvalidArgumentError,
  INVALID_HANDLE: InvalidArgumentError,
  INVALID_TOKEN: InvalidArgumentError,
  INVALID_SEQUENCE: InvalidArgumentError,
  INVALID_GRAMMAR: InvalidArgumentError,
  INVALID_SCHEMA: InvalidArgumentError,
  INVALID_REGEX: InvalidArgumentError,
  SOURCE_INVALID: InvalidArgumentError,
  CLOSED: ClosedError,
  ABORTED: AbortError,
  ADDON_NOT_FOUND: AddonError,
  ADDON_LOAD_FAILED: AddonError,
  BUILD_FAILED: AddonError,
  TOOL_MISSING: AddonError,
  MODEL_NOT_FOUND: ModelLoadError,
  MODEL_INVALID: ModelLoadError,
  MODEL_UNSUPPORTED: ModelLoadError,
  MODEL_LOAD_FAILED: ModelLoadError,
  DRAFT_MODEL_MISMATCH: ModelLoadError,
  ADAPTER_MISMATCH: ModelLoadError,
  NO_WEIGHTS: ContextError,
  OUT_OF_MEMORY: ContextError,
  CONTEXT_CREATE_FAILED: ContextError,
  PROMPT_TOO_LONG: ContextError,
  QUEUE_FULL: ContextError,
  CONTEXT_FULL: ContextError,
  NO_LOGITS: ContextError,
  LOGITS_PROCESSOR_FAILED: ContextError,
  NO_TOKEN_ALLOWED: ContextError,
  DECODE_FAILED: ContextError,
  STATE_INVALID: ContextError,
  FILE_ACCESS_FAILED: LlamaNativeError,
  OBJECT_INCOMPLETE: ObjectError,
  OBJECT_INVALID: ObjectError,
  BUSY: ChatError,
  NO_CHAT_TEMPLATE: ChatError,
  CHAT_TEMPLATE_FAILED: ChatError,
  CHAT_OUTPUT_INVALID: ChatError,
  CONTENT_UNSUPPORTED: ChatError,
  INVALID_MESSAGES: ChatError,
  INVALID_TOOL: ToolError,
  TOOL_NOT_FOUND: ToolError,
  TOOL_ARGUMENTS_INVALID: ToolError,
  TOOL_FAILED: ToolError,
  TOOL_TIMEOUT: ToolError,
  TOOL_RESULT_INVALID: ToolError,
  REPOSITORY_NOT_FOUND: DownloadError,
  FILE_NOT_IN_REPOSITORY: DownloadError,
  UNAUTHORIZED: DownloadError,
  DOWNLOAD_FAILED: DownloadError,
  DOWNLOAD_CORRUPT: DownloadError,
  DISK_FULL: DownloadError,
  OUTPUT_EXISTS: LlamaNativeError,
  CHECKPOINT_INVALID: ConversionError,
  CHECKPOINT_UNSUPPORTED: ConversionError,
  QUANTIZATION_FAILED: ConversionError,
  IMATRIX_INVALID: ConversionError,
  REFERENCE_INVALID: LlamaNativeError,
  ENGINE_CRASHED: EngineCrashedError,
  ENGINE_START_FAILED: EngineStartError,
  NOT_IN_PROCESS: LlamaNativeError,
  SERVER_START_FAILED: LlamaNativeError,
  INTERNAL: LlamaNativeError,
};

/**
 * Makes the error for a code, of the class that belongs to it. The addon gets this function when it is loaded, so
 * native failures arrive as the same classes.
 */
export function createError(
  code: ErrorCode,
  message: string,
  options?: { cause?: unknown; details?: ErrorDetails },
): LlamaNativeError {
  const ErrorClassForCode = classes[code] ?? LlamaNativeError;
  return new ErrorClassForCode(code, message, options);
}

/** The same error with more in its `details`. */
export function withDetails(error: LlamaNativeError, details: ErrorDetails): LlamaNativeError {
  const { code, message, cause } = error;
  return createError(code, message, { cause, details: { ...error.details, ...details } });
}
