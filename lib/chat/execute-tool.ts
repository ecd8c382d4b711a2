import { createError, LlamaNativeError } from '../errors.js';
import { isStandardSchema } from '../schema/standard-schema.js';
import { findProblem } from './check-arguments.js';
import { toJsonText } from './check-messages.js';
import type { Tool, ToolContext } from './tool.js';
import type { ToolCall } from './types.js';

/** Bounds of a call. */
export interface ExecutionLimits {
  readonly timeoutMs: number;
  readonly maxResultLength: number;
}

/** What came of a call: what the tool returned, and what the model is told. */
export interface ToolOutcome {
  readonly result: unknown;
  readonly content: string;
  readonly error?: LlamaNativeError;
}

async function checkedArguments(call: ToolCall, tool: Tool, schema: unknown): Promise<unknown> {
  const fail = (problem: string) =>
    createError('TOOL_ARGUMENTS_INVALID', `The arguments for ${call.name} are wrong: ${problem}.`, {
      details: { name: call.name, arguments: call.arguments },
    });
  if (typeof call.arguments === 'string') throw fail('they are not JSON');
  if (!isStandardSchema(tool.parameters)) {
    const problem = findProblem(call.arguments, schema);
    if (problem !== undefined) throw fail(problem);
    return call.arguments;
  }
  const checked = await tool.parameters['~standard'].validate(call.arguments);
  if (checked.issues !== undefined) throw fail(checked.issues.map(({ message }) => message).join('; '));
  return checked.value;
}

/** Rejects when the signal fires, whatever the work does. */
async function untilAborted<Value>(work: PromiseLike<Value> | Value, signal: AbortSignal): Promise<Value> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function toContent(name: string, result: unknown, maxLength: number): string {
  const invalid = (problem: string, cause?: unknown) =>
    createError('TOOL_RESULT_INVALID', `The tool ${name} returned ${problem}.`, { cause, details: { name } });
  let content: string;
  try {
    content = typeof result === 'string' ? result : result === undefined ? '' : toJsonText('result', result);
  } catch (error) {
    throw invalid('something that JSON cannot express', error);
  }
  if (content.length <= maxLength) return content;
  throw invalid(`${content.length} characters, and ${maxLength} is the most. Ask for less`);
}

/** The failure of a tool as an error of this package. */
function toToolError(name: string, error: unknown, timeout: AbortSignal): LlamaNativeError {
  if (timeout.aborted && error === timeout.reason) {
    return createError('TOOL_TIMEOUT', `The tool ${name} did not return in time.`, { details: { name } });
  }
  if (LlamaNativeError.isInstance(error) && error.code.startsWith('TOOL_')) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return createError('TOOL_FAILED', `The tool ${name} failed: ${reason}`, {
    cause: error,
    details: { name },
  });
}

/** Runs one call. It always resolves: what goes wrong is told to the model. */
export async function executeTool(
  call: ToolCall,
  tool: Tool,
  schema: unknown,
  context: ToolContext,
  limits: ExecutionLimits,
): Promise<ToolOutcome> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new Error('timeout')), limits.timeoutMs);
  const signal = AbortSignal.any([context.signal, timeout.signal]);
  try {
    const input = (await untilAborted(checkedArguments(call, tool, schema), signal)) as never;
    const result = await untilAborted(tool.execute?.(input, { ...context, signal }), signal);
    return { result, content: toContent(call.name, result, limits.maxResultLength) };
  } catch (error) {
    return failedOutcome(toToolError(call.name, error, timeout.signal));
  } finally {
    clearTimeout(timer);
  }
}

/** What the model is told of a failure. */
export function failedOutcome(error: LlamaNativeError): ToolOutcome {
  // The message of the cause may be of any length.
  return { result: undefined, content: `Error: ${error.message.slice(0, 2000)}`, error };
}
