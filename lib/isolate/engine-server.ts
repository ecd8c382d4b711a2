import { createError } from '../errors.js';
import type {
  CancelFlag,
  LocalAddon,
  ModelHandle,
  NativeMetrics,
  NativeQuantizeOptions,
  NativeStepEvents,
} from '../native/addon.js';
import {
  type EngineMethod,
  type EngineNotice,
  type EngineReply,
  type EngineRequest,
  engineMethods,
  engineNotices,
  type HandleReference,
  toSentError,
} from './protocol.js';

type AnyFunction = (...values: readonly unknown[]) => unknown;

/** Options of a context, with references in place of native objects. */
interface SentContextOptions {
  readonly speculation?: { readonly draftModel?: unknown };
  readonly adapters?: readonly { readonly adapter: unknown; readonly scale: number }[];
}

/** Calls of whose success the events tell. Each answer wakes the other process, and takes a processor from the model. */
const answeredByEvents: ReadonlySet<EngineMethod> = new Set(['submitGeneration']);

/** Characters that take less time to tokenize than to hand to another thread and back. */
const mostCharactersAtOnce = 1000;

function isShort(texts: unknown): boolean {
  return Array.isArray(texts) && texts.length === 1 && texts[0]?.length <= mostCharactersAtOnce;
}

function isReference(value: unknown): value is HandleReference {
  return typeof value === 'object' && value !== null && '$handle' in value;
}

/**
 * The engine's end of the pipe: does with the addon of its process what the other end asks. Requests begin in the order
 * in which they come, so commands to a context keep theirs.
 */
export class EngineServer {
  readonly #addon: LocalAddon;
  readonly #send: (reply: EngineReply) => void;
  /** Native objects by number; in place of one that could not be made, the reason. */
  readonly #handles = new Map<number, { readonly object: object } | { readonly failure: unknown }>();
  /** Of calls that load or quantize. */
  readonly #cancelFlags = new Map<number, CancelFlag>();

  constructor(addon: LocalAddon, send: (reply: EngineReply) => void) {
    this.#addon = addon;
    this.#send = send;
  }

  receive(request: EngineRequest): void {
    if (request.type === 'ping') {
      const progress = this.#addon.getProgress();
      this.#send({ type: 'pong', progress, memoryBytes: process.memoryUsage.rss() });
    } else if (request.type === 'notice') {
      this.#onNotice(request.notice, request.arguments);
    } else {
      void this.#onCall(request);
    }
  }

  async #onCall(request: EngineRequest & { type: 'call' }): Promise<void> {
    const { call, method, makes } = request;
    try {
      if (!engineMethods.includes(method)) throw createError('INTERNAL', `An engine has no call ${method}.`);
      const value = await this.#run(request);
      if (!answeredByEvents.has(method)) this.#send({ type: 'result', call, value });
    } catch (error) {
      if (makes !== undefined) this.#handles.set(makes, { failure: error });
      this.#send({ type: 'error', call, error: toSentError(error) });
    }
  }

  #run({ call, method, arguments: sent, makes }: EngineRequest & { type: 'call' }): unknown {
    const values = sent.map((value) => this.#resolve(value));
    if (method === 'echo') return values;
    if (method === 'loadModel') return this.#loadModel(call, makes, values);
    if (method === 'quantize') return this.#quantize(call, values);
    if (method === 'createContext') return this.#createContext(makes, values);
    if (method === 'tokenize' && isShort(values[1])) return this.#tokenizeNow(values);
    const result = this.#invoke(method, values);
    if (method === 'getMetrics')
      return (result as Promise<NativeMetrics>).then((metrics) => this.#withProcess(metrics));
    if (makes === undefined) {
      if (method === 'closeModel' || method === 'closeContext') this.#forget(sent[0]);
      return result;
    }
    return Promise.resolve(result).then((object) => this.#keep(makes, object));
  }

  #tokenizeNow([model, texts, addSpecial, parseSpecial]: readonly unknown[]): Int32Array[] {
    const flags = [addSpecial, parseSpecial] as [boolean, boolean];
    return (texts as string[]).map((text) => this.#addon.tokenizeSync(model as ModelHandle, text, ...flags));
  }

  /** Everything that the other end answers without asking comes with the model. */
  async #loadModel(call: number, makes: number | undefined, [path, options]: unknown[]): Promise<unknown> {
    const flag = this.#addon.createCancelFlag();
    this.#cancelFlags.set(call, flag);
    try {
      const onProgress = (fraction: number) => this.#send({ type: 'progress', call, values: [fraction] });
      const model = await this.#addon.loadModel(path as string, options as never, flag, onProgress);
      this.#keep(makes, model);
      return { info: this.#addon.getModelInfo(model), controlTexts: this.#addon.getControlTexts(model) };
    } finally {
      this.#cancelFlags.delete(call);
    }
  }

  async #quantize(call: number, [input, output, options]: unknown[]): Promise<string> {
    const flag = this.#addon.createCancelFlag();
    this.#cancelFlags.set(call, flag);
    try {
      const onProgress = (...values: number[]) => this.#send({ type: 'progress', call, values });
      return await this.#addon.quantize(
        input as string,
        output as string,
        options as NativeQuantizeOptions,
        flag,
        onProgress,
      );
    } finally {
      this.#cancelFlags.delete(call);
    }
  }

  async #createContext(makes: number | undefined, [model, options]: unknown[]): Promise<unknown> {
    const onEvents = (events: NativeStepEvents) => {
      if (makes !== undefined) this.#send({ type: 'events', context: makes, events });
    };
    const { speculation, adapters, ...others } = options as SentContextOptions;
    const draftModel = speculation && this.#resolve(speculation.draftModel);
    const resolved = speculation && { ...speculation, ...(draftModel !== undefined && { draftModel }) };
    const applied = adapters?.map(({ adapter, scale }) => ({ adapter: this.#resolve(adapter), scale }));
    const parts = { ...(resolved && { speculation: resolved }), ...(applied && { adapters: applied }) };
    // Where it can, the loop tells the other end by itself, without this thread.
    const settings = { ...others, ...parts, ...(makes !== undefined && { reportsAs: makes }) };
    const { handle, ...sizes } = await this.#addon.createContext(model as never, settings as never, onEvents);
    this.#keep(makes, handle);
    return sizes;
  }

  #onNotice(notice: EngineNotice, sent: readonly unknown[]): void {
    if (!engineNotices.includes(notice)) return;
    if (notice === 'forget') {
      this.#forget(sent[0]);
      return;
    }
    if (notice === 'cancelCall') {
      const flag = this.#cancelFlags.get(sent[0] as number);
      if (flag !== undefined) this.#addon.setCancelFlag(flag);
      return;
    }
    try {
      this.#invoke(
        notice,
        sent.map((value) => this.#resolve(value)),
      );
    } catch {
      // Nobody waits for it: what it was about is closed, or could not be made, which its maker was told.
    }
    if (notice === 'closeSampler') this.#forget(sent[0]);
  }

  /** Adds what only this process knows. */
  #withProcess(metrics: NativeMetrics): NativeMetrics & { readonly memoryBytes: number } {
    return { ...metrics, devices: this.#addon.getDevices(), memoryBytes: process.memoryUsage.rss() };
  }

  #invoke(name: EngineMethod | EngineNotice, values: readonly unknown[]): unknown {
    const method = this.#addon[name as keyof LocalAddon] as AnyFunction;
    return method.apply(this.#addon, values as unknown[]);
  }

  #resolve(value: unknown): unknown {
    if (!isReference(value)) return value;
    const entry = this.#handles.get(value.$handle);
    if (entry === undefined) throw createError('CLOSED', 'What the call is about was closed.');
    if ('failure' in entry) throw entry.failure;
    return entry.object;
  }

  #keep(makes: number | undefined, object: unknown): void {
    if (makes !== undefined && typeof object === 'object' && object !== null)
      this.#handles.set(makes, { object });
  }

  #forget(reference: unknown): void {
    if (isReference(reference)) this.#handles.delete(reference.$handle);
  }
}
