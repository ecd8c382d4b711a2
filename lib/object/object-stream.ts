import type { ChatHost } from '../chat/turn.js';
import { createError } from '../errors.js';
import type { GenerationResult } from '../generate/types.js';
import { describeIssues, type ObjectForm, type TextReader } from './object-form.js';
import type { ObjectRequest } from './object-request.js';
import { type ObjectSource, type WrittenAnswer, writeAnswer } from './object-source.js';
import type { ObjectAnswer, ObjectResult } from './types.js';

/** One attempt at an answer in a form. */
export class ObjectStream implements ObjectAnswer<unknown, unknown, unknown> {
  /** What the model made, whether or not it fits. */
  readonly generated: Promise<GenerationResult>;
  readonly result: Promise<ObjectResult<unknown>>;
  readonly #form: ObjectForm;
  readonly #source: ObjectSource;

  constructor(host: ChatHost, request: ObjectRequest) {
    this.#form = request.form;
    this.#source = writeAnswer(host, request);
    this.generated = this.#source.result.then(({ generated }) => generated);
    this.result = this.#source.result.then((written) => this.#finish(written));
    // Someone who only iterates meets the error there; it must not also count as unhandled.
    this.generated.catch(() => {});
    this.result.catch(() => {});
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    for await (const reader of this.#read()) yield reader.value;
  }

  get items(): AsyncIterable<unknown> {
    return this.#items();
  }

  get reasoningStream(): AsyncIterable<string> {
    return this.#thoughts();
  }

  async *#thoughts(): AsyncGenerator<string, void, undefined> {
    for await (const part of this.#source) if (part.type === 'reasoning') yield part.text;
  }

  async *#items(): AsyncGenerator<unknown, void, undefined> {
    let shown = 0;
    for await (const { items } of this.#read()) {
      for (; shown < items.length; shown++) yield items[shown];
    }
  }

  /** The same reader whenever it has something new. */
  async *#read(): AsyncGenerator<TextReader, void, undefined> {
    const reader = this.#form.createReader();
    for await (const part of this.#source) {
      if (part.type !== 'text') continue;
      const { changes } = reader;
      reader.push(part.text);
      if (reader.changes > changes) yield reader;
    }
    await this.result;
  }

  async #finish(written: WrittenAnswer): Promise<ObjectResult<unknown>> {
    const { text, reasoning, generated } = written;
    const { finishReason, usage, timings } = generated;
    this.#refuseIfCut(written);
    const checked = await this.#form.check(text);
    if ('value' in checked) return { object: checked.value, text, reasoning, finishReason, usage, timings };
    const message = `The answer does not fit its schema: ${describeIssues(checked.issues)}.`;
    throw createError('OBJECT_INVALID', message, {
      cause: checked.cause,
      details: { text, reasoning, issues: checked.issues, finishReason, usage, timings },
    });
  }

  #refuseIfCut({ text, reasoning, generated }: WrittenAnswer): void {
    const { finishReason, stopString, usage, timings } = generated;
    if (finishReason === 'stop' && stopString === undefined) return;
    const reader = this.#form.createReader();
    reader.push(text);
    if (reader.isComplete) return;
    const reasons = {
      stop: `the chat template's stop string ${JSON.stringify(stopString)} was written.`,
      length:
        'maxTokens was reached or the context is full. Allow more tokens, or ask for less: bound texts with maxLength, arrays with maxItems and thoughts with reasoningBudget.',
      cancelled: 'its loop was left.',
    };
    const message = `The answer was cut before its form was complete: ${reasons[finishReason]}`;
    const details = { text, reasoning, partial: reader.value, finishReason, usage, timings };
    throw createError('OBJECT_INCOMPLETE', message, { details });
  }
}
