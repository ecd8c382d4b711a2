import { combineTimings, combineUsage } from '../chat/combine.js';
import type { ChatHost } from '../chat/turn.js';
import type { ChatMessage } from '../chat/types.js';
import { createError } from '../errors.js';
import type { GenerationResult } from '../generate/types.js';
import type { StandardIssue } from '../schema/types.js';
import { describeIssues, isRefusedObject } from './object-form.js';
import { type ObjectRequest, toObjectRequest } from './object-request.js';
import { ObjectStream } from './object-stream.js';
import type { AnyObjectOptions, ObjectResult } from './types.js';

/** The request with an answer that was refused, and why, at the end of its conversation. */
function askAgain(request: ObjectRequest, text: string, issues: readonly StandardIssue[]): ObjectRequest {
  const messages: readonly ChatMessage[] = [
    ...request.prompt.messages,
    { role: 'assistant', content: text },
    { role: 'user', content: `That is not right: ${describeIssues(issues)}. Answer again.` },
  ];
  return { ...request, prompt: { ...request.prompt, messages } };
}

/**
 * Makes an answer in a form; asks again, as often as `retries` says, if its schema refuses it.
 * @throws what {@link toObjectRequest} throws; ObjectError OBJECT_INCOMPLETE, OBJECT_INVALID.
 */
export async function generateObject(
  host: ChatHost,
  options: AnyObjectOptions,
): Promise<ObjectResult<unknown>> {
  let request = toObjectRequest(options, ['retries']);
  const generated: GenerationResult[] = [];
  for (let attempt = 0; ; attempt++) {
    const stream = new ObjectStream(host, request);
    try {
      const result = await stream.result;
      generated.push(await stream.generated);
      return { ...result, usage: combineUsage(generated), timings: combineTimings(generated) };
    } catch (error) {
      if (!isRefusedObject(error)) throw error;
      generated.push(await stream.generated);
      const { text, issues } = error.details as { text: string; issues: readonly StandardIssue[] };
      if (attempt === request.retries) {
        const usage = combineUsage(generated);
        const details = {
          ...error.details,
          usage,
          timings: combineTimings(generated),
          attempts: attempt + 1,
        };
        throw createError('OBJECT_INVALID', error.message, { cause: error.cause, details });
      }
      request = askAgain(request, text, issues);
    }
  }
}

/** Begins an answer in a form. */
export function streamObject(host: ChatHost, options: AnyObjectOptions): ObjectStream {
  return new ObjectStream(host, toObjectRequest(options));
}
