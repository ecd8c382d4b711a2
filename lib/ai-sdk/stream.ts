import type { LanguageModelV4StreamPart, LanguageModelV4Usage, SharedV4Warning } from '@ai-sdk/provider';
import type { ChatFace } from '../ecosystem/model-face.js';
import { type ChatAnswer, LlamaNativeError } from '../index.js';
import { PartBlocks } from './part-blocks.js';
import { toFinishReason, toProviderMetadata, toToolCall, toUsage } from './result.js';

/** An answer, and what is said about it before it begins. */
export interface StreamedAnswer {
  readonly model: ChatFace;
  readonly modelId: string;
  readonly answer: ChatAnswer;
  readonly warnings: SharedV4Warning[];
}

const unknownUsage: LanguageModelV4Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

/**
 * The parts of an answer in the order of the specification. Calls follow at the end, when it is known that the answer
 * was not cut off in the middle of one.
 * @throws AbortError; other failures are a part of type `error`.
 */
export async function* streamParts(
  streamed: StreamedAnswer,
): AsyncGenerator<LanguageModelV4StreamPart, void, undefined> {
  const { model, modelId, answer, warnings } = streamed;
  yield { type: 'stream-start', warnings };
  yield { type: 'response-metadata', modelId, timestamp: new Date() };
  const blocks = new PartBlocks();
  try {
    for await (const part of answer) yield* blocks.add(part);
    yield* blocks.end();
    const result = await answer.result;
    for (const call of result.toolCalls) yield toToolCall(call);
    yield {
      type: 'finish',
      finishReason: toFinishReason(result.finishReason),
      usage: await toUsage(model, result),
      providerMetadata: toProviderMetadata(result),
    };
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && error.code === 'ABORTED') throw error;
    yield* blocks.end();
    yield { type: 'error', error };
    const finishReason = {
      unified: 'error',
      raw: LlamaNativeError.isInstance(error) ? error.code : undefined,
    };
    yield { type: 'finish', finishReason, usage: unknownUsage } as LanguageModelV4StreamPart;
  }
}

/** A web stream of what a generator makes; `onCancel` stops the work that the generator waits for. */
export function toReadableStream<Item>(
  items: AsyncGenerator<Item, void, undefined>,
  onCancel: () => void,
): ReadableStream<Item> {
  return new ReadableStream<Item>({
    async pull(controller) {
      const { done, value } = await items.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      onCancel();
      // Also when the work ends with an AbortError: nobody is left to hear of it.
      await items.return().catch(() => {});
    },
  });
}
