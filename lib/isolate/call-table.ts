import type { LlamaNativeError } from '../errors.js';
import type { NativeStepEvents } from '../native/addon.js';
import type { EngineMethod } from './protocol.js';
import type { InterruptedCall } from './types.js';

/** A call that waits for its answer. */
export interface PendingCall {
  readonly method: EngineMethod;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: LlamaNativeError) => void;
  readonly onProgress?: ((...values: number[]) => void) | undefined;
}

interface RunningGeneration {
  readonly begun: number;
  /** The call that submitted it: not answered, unless it is refused. */
  call: number | undefined;
  readonly promptTokens: Int32Array;
  /** The engine waits for logits from this side. */
  waitsForLogits: boolean;
}

type EntryOfCall = PendingCall & { readonly begun: number; beats: number };

/** Calls that load run without telling anything for longer than others may. */
const loads: ReadonlySet<EngineMethod> = new Set(['loadModel', 'loadAdapter', 'createContext']);

/** Calls that threads of their own work on: a loop that makes progress says nothing of them. */
const tasks: ReadonlySet<EngineMethod> = new Set([
  'echo',
  'tokenize',
  'detokenize',
  'applyChatTemplate',
  'createChatParser',
  'parseChat',
  'matchesGrammar',
  'jsonSchemaToGrammar',
  'createSampler',
]);

/** What is in flight in one engine: calls that wait for an answer, and generations that were submitted. */
export class CallTable {
  readonly #calls = new Map<number, EntryOfCall>();
  /** By context and id. */
  readonly #generations = new Map<string, RunningGeneration>();
  #lastCall = 0;

  /** Whether nothing is in flight. */
  get idle(): boolean {
    return this.#calls.size === 0 && this.#generations.size === 0;
  }

  add(call: PendingCall): number {
    const number = ++this.#lastCall;
    this.#calls.set(number, { ...call, begun: performance.now(), beats: 0 });
    return number;
  }

  get(number: number): PendingCall | undefined {
    return this.#calls.get(number);
  }

  /** Takes a call out that has been answered. */
  take(number: number): PendingCall | undefined {
    const call = this.#calls.get(number);
    this.#calls.delete(number);
    return call;
  }

  startGeneration(context: number, id: number, call: number, promptTokens: Int32Array): void {
    const begun = performance.now();
    this.#generations.set(`${context}:${id}`, { begun, call, promptTokens, waitsForLogits: false });
  }

  endGeneration(context: number, id: number): void {
    this.#generations.delete(`${context}:${id}`);
  }

  /** This side gave the engine the logits it waited for. */
  providedLogits(context: number, id: number): void {
    const generation = this.#generations.get(`${context}:${id}`);
    if (generation !== undefined) generation.waitsForLogits = false;
  }

  /** Takes notice of what generations did; true if one of them ended with something made. */
  follow(context: number, events: NativeStepEvents): boolean {
    for (const { id } of events.logits ?? []) {
      this.#accept(context, id);
      const generation = this.#generations.get(`${context}:${id}`);
      if (generation !== undefined) generation.waitsForLogits = true;
    }
    let evaluated = false;
    for (const { id, finish } of events.generations) {
      this.#accept(context, id);
      if (finish === undefined) continue;
      this.endGeneration(context, id);
      evaluated ||= finish.reason === 'stop' || finish.reason === 'length';
    }
    return evaluated;
  }

  /** A generation of which anything is heard was not refused. */
  #accept(context: number, id: number): void {
    const generation = this.#generations.get(`${context}:${id}`);
    if (generation?.call === undefined) return;
    this.take(generation.call)?.resolve(undefined);
    generation.call = undefined;
  }

  /** Whether the engine has work that goes on step by step, so that standing still means that it hangs. */
  expectsProgress(): boolean {
    const loops = [...this.#calls.values()].some(({ method }) => !tasks.has(method) && !loads.has(method));
    return loops || [...this.#generations.values()].some(({ waitsForLogits }) => !waitsForLogits);
  }

  /** Counts a beat; true if a task has run for more than so many, or a load for ten times as many. */
  countBeat(limit: number): boolean {
    for (const call of this.#calls.values()) call.beats++;
    return [...this.#calls.values()].some(({ method, beats }) => {
      return loads.has(method) ? beats > limit * 10 : tasks.has(method) && beats > limit;
    });
  }

  /** Whether all that is left are calls of this kind that have run for as long. */
  onlyStuck(method: EngineMethod, milliseconds: number): boolean {
    if (this.#generations.size > 0) return false;
    const now = performance.now();
    return [...this.#calls.values()].every(
      (call) => call.method === method && now - call.begun >= milliseconds,
    );
  }

  /** Fails everything, and tells what it was. */
  failAll(error: LlamaNativeError, withPrompts: boolean): InterruptedCall[] {
    const now = performance.now();
    const interrupted: InterruptedCall[] = [];
    for (const { method, begun } of this.#calls.values()) {
      if (method !== 'submitGeneration' && method !== 'echo')
        interrupted.push({ method, runningMs: now - begun });
    }
    for (const { begun, promptTokens } of this.#generations.values()) {
      const prompt = withPrompts ? { promptTokens } : {};
      interrupted.push({ method: 'submitGeneration', runningMs: now - begun, ...prompt });
    }
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#generations.clear();
    for (const { reject } of calls) reject(error);
    return interrupted;
  }
}
