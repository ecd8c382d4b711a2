import type { ChatFace } from '../../lib/ecosystem/model-face.js';
import type { ChatCallOptions, ChatMessage, ChatResult, Model } from '../../lib/index.js';

/** A model that notes how it is asked, and always answers the same. */
export interface RecordingModel extends ChatFace {
  readonly asked: { readonly messages: readonly ChatMessage[]; readonly options: ChatCallOptions }[];
}

const usage = { promptTokens: 10, cachedTokens: 4, completionTokens: 6, contextShifts: 0 };

export function recordingModel(answer: Partial<ChatResult> = {}): RecordingModel {
  const asked: RecordingModel['asked'] = [];
  const result = {
    text: 'Yes.',
    reasoning: '',
    toolCalls: [],
    finishReason: 'stop',
    usage,
    timings: { totalMs: 5 },
    ...answer,
  } as unknown as ChatResult;
  return {
    asked,
    metadata: { name: 'Recorder' } as Model['metadata'],
    tokenize: (async () => Int32Array.of(1, 2)) as unknown as Model['tokenize'],
    chat(messages, options = {}) {
      asked.push({ messages, options });
      return {
        result: Promise.resolve(result),
        textStream: (async function* () {})(),
        async *[Symbol.asyncIterator]() {
          if (result.text !== '') yield { type: 'text' as const, text: result.text };
        },
      };
    },
  };
}
