import { abortError } from '../../lib/arguments.js';
import type { ParseAnswer } from '../../lib/chat/answer-reader.js';
import type { ChatModel } from '../../lib/chat/chat.js';
import type { PromptRequest, RenderedPrompt } from '../../lib/chat/render.js';
import { GenerationStream } from '../../lib/generate/generation-stream.js';
import type { GenerateOptions, GenerationResult } from '../../lib/generate/types.js';
import type { Model } from '../../lib/index.js';

/** What a scripted model writes: text in chunks of a few characters; `hang` goes on only until it is stopped. */
export type ScriptedAnswer = string | { readonly text: string; readonly hang: true };

/** How the scripted model was asked. */
export interface ScriptedCall {
  readonly request: PromptRequest;
  readonly prompt: string;
  readonly options: GenerateOptions;
}

function resultOf(text: string, finishReason: GenerationResult['finishReason'], prompt: RenderedPrompt) {
  return {
    text,
    tokens: [...text].map((_, index) => index),
    finishReason,
    usage: {
      promptTokens: prompt.tokens.length,
      cachedTokens: 0,
      completionTokens: text.length,
      contextShifts: 0,
    },
    timings: {
      queueMs: 0,
      promptMs: 10,
      timeToFirstTokenMs: 11,
      completionMs: 20,
      totalMs: 31,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      promptTokensPerSecond: 100,
      completionTokensPerSecond: 100,
    },
  };
}

/** A model that renders and reads as a real one does, with a template of its own, and writes what a script says. */
export class ScriptedHost implements ChatModel {
  readonly contextSize: number;
  readonly calls: ScriptedCall[] = [];
  readonly #model: Model;
  readonly #template: string;
  readonly #answers: ScriptedAnswer[];

  constructor(model: Model, template: string, answers: readonly ScriptedAnswer[], contextSize = 4096) {
    this.#model = model;
    this.#template = template;
    this.#answers = [...answers];
    this.contextSize = contextSize;
  }

  async saveChat(): Promise<void> {}

  async renderPrompt(request: PromptRequest): Promise<RenderedPrompt> {
    const rendered = await this.#model.renderPrompt({ template: this.#template, ...request });
    return Object.assign(rendered, { request });
  }

  createAnswerParser(rendered: RenderedPrompt, isContinuation: boolean): Promise<ParseAnswer> {
    return this.#model.createAnswerParser(rendered, isContinuation);
  }

  generateRendered(prompt: Promise<RenderedPrompt>, options: GenerateOptions): GenerationStream {
    const script = this.#answers.shift() ?? '';
    const text = typeof script === 'string' ? script : script.text;
    let shown = '';
    let settled = false;
    const settle = (end: () => void) => {
      if (!settled) end();
      settled = true;
    };
    const stream: GenerationStream = new GenerationStream(() => {
      prompt.then((rendered) => settle(() => stream.finish(resultOf(shown, 'cancelled', rendered))));
    });
    options.signal?.addEventListener('abort', () => {
      const { signal } = options;
      if (signal !== undefined)
        settle(() => stream.fail(abortError(signal, 'The generation', { text: shown })));
    });
    const write = async () => {
      const rendered = await prompt;
      const { request } = rendered as RenderedPrompt & { request: PromptRequest };
      this.calls.push({ request, prompt: rendered.prompt, options });
      for (let at = 0; at < text.length && !settled; at += 3) {
        const added = text.slice(at, at + 3);
        shown += added;
        stream.push({ text: added, tokens: [1] });
        await new Promise(setImmediate);
      }
      if (typeof script === 'string') settle(() => stream.finish(resultOf(text, 'stop', rendered)));
    };
    write().catch((error) => settle(() => stream.fail(error)));
    return stream;
  }
}
