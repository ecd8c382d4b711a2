/** Runs a random schedule and compares everything that is generated with the same prompt by itself. */

import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Chat,
  type ChatAnswer,
  type Generation,
  LlamaNativeError,
  type Model,
} from '../../lib/index.js';
import {
  compareWithReference,
  type GreedyReference,
  type ReferenceToken,
  type Tolerance,
} from './greedy-reference.js';
import {
  chatCount,
  type Fate,
  familyPrefixes,
  type GenerateOperation,
  type Operation,
  type Schedule,
  type TurnOperation,
} from './schedule.js';

/** What schedules went through, all together. */
export interface Tally {
  /** By how they ended: finished, left, aborted, refused. */
  readonly endings: Map<string, number>;
  tokens: number;
  /** Answers that left the reference where two logits are as good as equal. */
  ties: number;
  /** The largest difference of a log-probability that was seen. */
  difference: number;
  restored: number;
}

export function createTally(): Tally {
  return { endings: new Map(), tokens: 0, ties: 0, difference: 0, restored: 0 };
}

/** How the characters of a schedule become tokens, and tokens text. */
export interface Vocabulary {
  encode(text: string): Int32Array;
  /** Undefined where the text of tokens says nothing: then texts and stop strings are not compared. */
  decode(tokens: readonly number[]): string | undefined;
}

/** A token is a character, as in the tiny generator. */
export const characterVocabulary: Vocabulary = {
  encode: (text) => Int32Array.from(Buffer.from(text)),
  decode: (tokens) => String.fromCharCode(...tokens),
};

/** What a run of a schedule needs. */
export interface RunnerOptions {
  readonly model: Model;
  readonly vocabulary: Vocabulary;
  readonly reference: GreedyReference;
  readonly tolerance: Tolerance;
  readonly tally: Tally;
  /** For saved chats. */
  readonly directory: string;
}

/** What an answer is compared with. */
interface Expectation {
  readonly prompt: Int32Array;
  readonly maxTokens: number;
  readonly mayEnd: boolean;
  readonly stop?: string | undefined;
}

/** Where generations are known to have come to, so that the others can be started and ended in between. */
class Pulse {
  #count = 0;
  #running = 0;

  beat(): void {
    this.#count++;
  }

  begin(): void {
    this.#running++;
  }

  end(): void {
    this.#running--;
  }

  async wait(beats: number): Promise<void> {
    const target = this.#count + beats;
    while (this.#count < target && this.#running > 0) await nextTurn();
  }
}

/** Longer than any context of a schedule. */
const wholeText = familyPrefixes.join('').repeat(2);

class ScheduleRun {
  readonly #pulse = new Pulse();
  readonly #chats: Promise<Chat>[];
  readonly #pending: Promise<void>[] = [];
  #files = 0;

  constructor(
    private readonly schedule: Schedule,
    private readonly options: RunnerOptions,
  ) {
    const { model } = options;
    this.#chats = Array.from({ length: chatCount }, async (_, chat) =>
      model.createChat({ system: `You are number ${chat}.`, temperature: 0, logprobs: true }),
    );
  }

  async run(): Promise<void> {
    for (const operation of this.schedule.operations) {
      await this.#pulse.wait(operation.wait);
      await this.#begin(operation);
    }
    await this.#settle();
    await this.#checkAtRest();
  }

  async #begin(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case 'settle':
        return this.#settle();
      case 'generate':
        this.#track(this.#generate(operation));
        return;
      case 'turn':
        this.#withChat(operation.chat, (chat) => this.#takeTurn(chat, operation));
        return;
      case 'restore': {
        const path = join(this.options.directory, `${this.#files++}.chat`);
        const saved = this.#withChat(operation.chat, (chat) => chat.save(path).then(() => chat));
        this.#withChat(operation.into, () => saved.then(() => this.#restore(path)));
        return;
      }
    }
  }

  /** Does something with a chat once what was asked of it before is done; it may put another chat in its place. */
  #withChat(index: number, action: (chat: Chat) => Promise<Chat>): Promise<Chat> {
    const next = (this.#chats[index] as Promise<Chat>).then(action);
    this.#chats[index] = next;
    this.#track(next.then(() => {}));
    return next;
  }

  #track(work: Promise<void>): void {
    work.catch(() => {}); // met in settle()
    this.#pending.push(work);
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#pending.splice(0));
  }

  async #generate(operation: GenerateOperation): Promise<void> {
    const { family, shared, tail, maxTokens, mayEnd, stop, priority, speculative, fate } = operation;
    const text = (familyPrefixes[family] ?? '').slice(0, shared) + tail;
    const prompt = this.options.vocabulary.encode(text);
    const start = (signal: AbortSignal | undefined) =>
      this.options.model.generate(prompt, {
        temperature: 0,
        logprobs: true,
        maxTokens,
        ignoreEndOfSequence: !mayEnd,
        priority,
        speculative,
        ...(stop !== undefined && { stop }),
        ...(signal && { signal }),
      });
    await this.#follow(start, fate, { prompt, maxTokens, mayEnd, stop });
  }

  async #takeTurn(chat: Chat, { text, maxTokens, fate }: TurnOperation): Promise<Chat> {
    const { model } = this.options;
    const rendered = await model.applyChatTemplate([...chat.history, { role: 'user', content: text }]);
    const prompt = await model.tokenize(rendered.prompt, { parseSpecial: true });
    const start = (signal: AbortSignal | undefined) =>
      chat.send(text, { maxTokens, ...(signal && { signal }) });
    await this.#follow(start, fate, { prompt, maxTokens, mayEnd: true });
    if (prompt.length > this.schedule.contextSize / 2) chat.reset();
    return chat;
  }

  async #restore(path: string): Promise<Chat> {
    const restored = await this.options.model.restore(path, { temperature: 0, logprobs: true });
    this.options.tally.restored++;
    return restored;
  }

  async #follow(
    start: (signal: AbortSignal | undefined) => Generation | ChatAnswer,
    fate: Fate,
    expectation: Expectation,
  ): Promise<void> {
    const controller = fate.kind === 'abort' ? new AbortController() : undefined;
    if (fate.kind === 'abort' && fate.pulses === 0) controller?.abort();
    this.#pulse.begin();
    const generation = start(controller?.signal);
    if (fate.kind === 'abort') void this.#pulse.wait(fate.pulses).then(() => controller?.abort());
    let ending: string;
    try {
      ending = await this.#consume(generation, fate, expectation);
    } catch (error) {
      if (!LlamaNativeError.isInstance(error)) throw error;
      ending = error.code;
      await this.#checkError(error, fate, expectation);
    } finally {
      this.#pulse.end();
    }
    const { endings } = this.options.tally;
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
  }

  async #consume(generation: Generation | ChatAnswer, fate: Fate, expectation: Expectation): Promise<string> {
    let chunks = 0;
    for await (const _ of generation as AsyncIterable<unknown>) {
      this.#pulse.beat();
      chunks++;
      if (fate.kind === 'leave' && chunks === fate.chunks) break;
    }
    const { text, tokens, logprobs = [], finishReason, stopString, usage } = await generation.result;
    const reference = await this.#referenceFor(expectation);
    const { tally, tolerance } = this.options;
    const answer = { tokens, logprobs: logprobs.map(({ logprob }) => logprob) };
    const { outcome, difference } = compareWithReference(answer, reference, tolerance);
    tally.difference = Math.max(tally.difference, difference);
    tally.tokens += tokens.length;
    expectEqual('the prompt tokens', usage.promptTokens, expectation.prompt.length);
    if (usage.cachedTokens >= usage.promptTokens) throw new Error('All of the prompt counts as cached.');
    if (outcome === 'tie') {
      tally.ties++;
      return finishReason;
    }
    if (finishReason === 'cancelled') {
      if (fate.kind !== 'leave') throw new Error('It was cancelled, though nobody asked for that.');
      return 'left';
    }
    const expected = this.#expectedText(reference, expectation.stop);
    if (expected !== undefined) {
      expectEqual('the text', text, expected.text);
      expectEqual('the stop string', stopString, expected.stopped ? expectation.stop : undefined);
    }
    const stopped = expected === undefined ? stopString !== undefined : expected.stopped;
    const ends = stopped || reference.at(-1)?.ends === true;
    expectEqual('the finish reason', finishReason, ends ? 'stop' : 'length');
    return finishReason;
  }

  async #checkError(error: LlamaNativeError, fate: Fate, expectation: Expectation): Promise<void> {
    if (error.code === 'ABORTED' && fate.kind === 'abort') {
      const reference = await this.#referenceFor(expectation);
      const text = String(error.details.text ?? '');
      const expected = this.#expectedText(reference, expectation.stop);
      const tied = reference.some(({ margin }) => margin < this.options.tolerance.margin); // then texts may part
      if (!tied && expected?.text.startsWith(text) === false) {
        throw new Error(`What was made until it was aborted is no beginning of the answer: ${text}`);
      }
      return;
    }
    const tooLong = expectation.prompt.length > this.schedule.contextSize;
    if (error.code !== 'PROMPT_TOO_LONG' || !tooLong) throw error;
  }

  /** All tokens the answer can have: a context that is full ends it. */
  #referenceFor({ prompt, maxTokens, mayEnd }: Expectation) {
    const room = this.schedule.contextSize + 1 - prompt.length;
    return this.options.reference.continue(prompt, Math.min(maxTokens, room), mayEnd);
  }

  /** The text of the reference, cut off at the stop string. */
  #expectedText(
    reference: readonly ReferenceToken[],
    stop: string | undefined,
  ): { text: string; stopped: boolean } | undefined {
    const tokens = reference.filter(({ ends }) => !ends).map(({ token }) => token);
    const text = this.options.vocabulary.decode(tokens);
    if (text === undefined) return undefined;
    const end = stop === undefined ? -1 : text.indexOf(stop);
    return end === -1 ? { text, stopped: false } : { text: text.slice(0, end), stopped: true };
  }

  /** Nothing is left running, and the whole context is there for the next one. */
  async #checkAtRest(): Promise<void> {
    const { model } = this.options;
    const { running, waiting, residentTokens, contextSize } = await model.metrics();
    expectEqual('generations running at the end', running, 0);
    expectEqual('generations waiting at the end', waiting, 0);
    if (residentTokens > contextSize) throw new Error(`${residentTokens} tokens are said to be cached.`);
    const prompt = this.options.vocabulary.encode(wholeText.slice(0, contextSize - 4));
    const start = () =>
      model.generate(prompt, { temperature: 0, logprobs: true, maxTokens: 5, ignoreEndOfSequence: true });
    await this.#follow(start, { kind: 'finish' }, { prompt, maxTokens: 5, mayEnd: false });
  }
}

function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual === expected) return;
  throw new Error(`Expected ${JSON.stringify(expected)} as ${what}; it is ${JSON.stringify(actual)}.`);
}

/**
 * Runs a schedule to its end.
 * @throws Error for the first answer that is not what its prompt gives alone.
 */
export async function runSchedule(schedule: Schedule, options: RunnerOptions): Promise<void> {
  await new ScheduleRun(schedule, options).run();
}
