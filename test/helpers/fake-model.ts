import { createError } from '../../lib/errors.js';
import type {
  ChatMessage,
  GenerateOptions,
  Generation,
  GenerationChunk,
  GenerationResult,
  Model,
} from '../../lib/index.js';

/** A chunk to emit, or the wish to wait until the caller gives up. */
export type ScriptedChunk = string | { readonly waitForAbort: true };

/** What a fake model answers to a prompt. An error is thrown in the middle of the answer. */
export type Script = (prompt: string) => readonly (ScriptedChunk | Error)[];

function resultOf(text: string, chunks: number): GenerationResult {
  return {
    text,
    tokens: Array.from({ length: chunks }, (_, index) => index),
    finishReason: 'stop',
    usage: { promptTokens: 12, cachedTokens: 4, completionTokens: chunks, contextShifts: 0 },
    timings: {
      queueMs: 1,
      promptMs: 20,
      timeToFirstTokenMs: 21,
      completionMs: 100,
      totalMs: 121,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      promptTokensPerSecond: 400,
      completionTokensPerSecond: 42.5,
    },
  };
}

function untilAborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
    } else {
      signal?.addEventListener('abort', () => resolve());
    }
  });
}

/** A generation that follows a script. `onEnd` gets the text when it ends, also when it was cancelled. */
function generate(
  script: readonly (ScriptedChunk | Error)[],
  options: GenerateOptions,
  onEnd: (text: string) => void,
): Generation {
  let settle: { resolve: (result: GenerationResult) => void; reject: (error: unknown) => void } | undefined;
  const result = new Promise<GenerationResult>((resolve, reject) => {
    settle = { resolve, reject };
  });
  result.catch(() => {});
  async function* iterate(): AsyncGenerator<GenerationChunk, void, undefined> {
    let text = '';
    try {
      for (const step of script) {
        if (step instanceof Error) {
          throw step;
        }
        if (typeof step !== 'string') {
          await untilAborted(options.signal);
        }
        if (options.signal?.aborted) {
          throw createError('ABORTED', 'The generation was cancelled.', { details: { text } });
        }
        if (typeof step === 'string') {
          text += step;
          yield { text: step, tokens: [1] };
        }
      }
      onEnd(text);
      settle?.resolve(resultOf(text, script.length));
    } catch (error) {
      onEnd(text);
      settle?.reject(error);
      throw error;
    }
  }
  return { result, [Symbol.asyncIterator]: iterate };
}

/** A model that answers by a script, and remembers how it was asked. */
export class FakeModel {
  readonly path = '/models/fake.gguf';
  readonly contextSize = 4096;
  readonly metadata = { name: 'Fake', description: 'fake 1M' };
  readonly calls: { kind: 'chat' | 'raw'; prompt: string; system?: string; options: GenerateOptions }[] = [];
  closedCount = 0;
  readonly #script: Script;

  constructor(script: Script) {
    this.#script = script;
  }

  generate(prompt: string, options: GenerateOptions = {}): Generation {
    this.calls.push({ kind: 'raw', prompt, options });
    return generate(this.#script(prompt), options, () => {});
  }

  createChat({ system }: { system?: string } = {}) {
    const first: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
    let history = [...first];
    return {
      get history(): readonly ChatMessage[] {
        return history;
      },
      reset: () => {
        history = [...first];
      },
      send: (prompt: string, options: GenerateOptions = {}): Generation => {
        this.calls.push({ kind: 'chat', prompt, ...(system === undefined ? {} : { system }), options });
        return generate(this.#script(prompt), options, (content) => {
          history = [...history, { role: 'user', content: prompt }, { role: 'assistant', content }];
        });
      },
    };
  }

  async close(): Promise<void> {
    this.closedCount += 1;
  }
}

/** The fake as the type that the library promises. */
export function asModel(fake: FakeModel): Model {
  return fake as unknown as Model;
}
