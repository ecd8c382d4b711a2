import { createError } from '../errors.js';
import {
  type AdapterHandle,
  type Addon,
  type CancelFlag,
  type ChatParserHandle,
  type ContextHandle,
  type MemoryOperation,
  type ModelHandle,
  type NativeChatMessage,
  type NativeChatTemplateOptions,
  type NativeContext,
  type NativeContextOptions,
  type NativeControlText,
  type NativeDevice,
  type NativeEmbedText,
  type NativeGenerationRequest,
  type NativeHandle,
  type NativeImatrixEntry,
  type NativeLoadOptions,
  type NativeMetrics,
  type NativeModelInfo,
  type NativeQuantizeOptions,
  type NativeRenderedChat,
  type NativeSamplingOptions,
  type NativeScoreRequest,
  type NativeScores,
  type NativeStepEvents,
  type NativeSystemInfo,
  placeElsewhere,
  type SamplerHandle,
} from '../native/addon.js';
import type { CallOptions } from './child-engine.js';
import { lostError } from './crash.js';
import type { EngineMethod, EngineNotice, HandleReference } from './protocol.js';
import { RemoteCancelFlag, RemoteHandle, RemoteModel } from './remote-handle.js';
import type { EngineSupervisor } from './supervisor.js';

/** A template that is rendered for so long is not going to end. */
const stuckMs = 5000;

/**
 * The addon of an engine in another process: the same calls, each a message. Native objects are numbers over there.
 * Models, and the contexts that ask for it, are made again when the engine had to be started again; whatever else was in
 * it is lost, which calls with it say.
 */
export class RemoteAddon implements Addon {
  readonly #supervisor: EngineSupervisor;
  readonly #abandoned: FinalizationRegistry<() => void>;
  #lastNumber = 0;

  constructor(supervisor: EngineSupervisor) {
    this.#supervisor = supervisor;
    this.#abandoned = new FinalizationRegistry((release) => release());
  }

  getDevices(): NativeDevice[] {
    return [...this.#supervisor.facts.devices];
  }

  getSystemInfo(): NativeSystemInfo {
    return this.#supervisor.facts.systemInfo;
  }

  createCancelFlag(): CancelFlag {
    return new RemoteCancelFlag(this);
  }

  setCancelFlag(flag: CancelFlag): void {
    if (flag instanceof RemoteCancelFlag) flag.set();
  }

  async loadModel(
    path: string,
    options: NativeLoadOptions,
    flag: CancelFlag,
    onProgress: (fraction: number) => void,
  ): Promise<ModelHandle> {
    const number = ++this.#lastNumber;
    const values = [path, options];
    const onSent = this.#cancelledBy(flag);
    const loaded = await this.#supervisor.call('loadModel', values, {
      makes: number,
      onProgress: (fraction = 0) => onProgress(fraction),
      onSent,
    });
    const { info, controlTexts } = loaded as { info: NativeModelInfo; controlTexts: NativeControlText[] };
    this.#supervisor.remember(number, { method: 'loadModel', arguments: values });
    return this.#place(new RemoteModel(this, number, info, controlTexts));
  }

  quantize(
    input: string,
    output: string,
    options: NativeQuantizeOptions,
    flag: CancelFlag,
    onProgress: (tensor: number, weights: number) => void,
  ): Promise<string> {
    return this.#call('quantize', [input, output, options], {
      onProgress: (tensor = 0, weights = 0) => onProgress(tensor, weights),
      onSent: this.#cancelledBy(flag),
    });
  }

  async closeModel(model: ModelHandle): Promise<void> {
    await this.#close('closeModel', model);
  }

  async loadAdapter(model: ModelHandle, path: string, fingerprint: string): Promise<AdapterHandle> {
    const number = ++this.#lastNumber;
    const values = [this.#refer(model), path, fingerprint];
    await this.#supervisor.call('loadAdapter', values, { makes: number });
    const partOf = this.#own(model).number;
    this.#supervisor.remember(number, { method: 'loadAdapter', arguments: values, partOf });
    return this.#place(new RemoteHandle(this, 'adapter', number));
  }

  getModelInfo(model: ModelHandle): NativeModelInfo {
    return this.#modelOf(model).info;
  }

  getControlTexts(model: ModelHandle): NativeControlText[] {
    return [...this.#modelOf(model).controlTexts];
  }

  tokenize(
    model: ModelHandle,
    texts: readonly string[],
    addSpecial: boolean,
    parseSpecial: boolean,
  ): Promise<Int32Array[]> {
    return this.#call('tokenize', [model, texts, addSpecial, parseSpecial]);
  }

  tokenizeSync(): Int32Array {
    const message =
      'tokenizeSync works only with a model in this process, and this one was loaded with isolate. Use tokenize.';
    throw createError('NOT_IN_PROCESS', message);
  }

  detokenize(
    model: ModelHandle,
    tokens: readonly Int32Array[],
    removeSpecial: boolean,
    renderSpecial: boolean,
  ): Promise<string[]> {
    return this.#call('detokenize', [model, tokens, removeSpecial, renderSpecial]);
  }

  applyChatTemplate(
    model: ModelHandle,
    messagesJson: string,
    options: NativeChatTemplateOptions,
  ): Promise<NativeRenderedChat> {
    return this.#call('applyChatTemplate', [model, messagesJson, options]);
  }

  replaceProcess(): void {
    this.#supervisor.retire('applyChatTemplate', stuckMs);
  }

  createChatParser(options: object): Promise<ChatParserHandle> {
    return this.#make('chat parser', 'createChatParser', [options]);
  }

  parseChat(parser: ChatParserHandle, text: string, isPartial: boolean): Promise<NativeChatMessage> {
    return this.#call('parseChat', [parser, text, isPartial]);
  }

  matchesGrammar(model: ModelHandle, grammar: string, tokens: Int32Array): Promise<boolean> {
    return this.#call('matchesGrammar', [model, grammar, tokens]);
  }

  jsonSchemaToGrammar(schema: string): Promise<string> {
    return this.#call('jsonSchemaToGrammar', [schema]);
  }

  createSampler(model: ModelHandle, options: NativeSamplingOptions): Promise<SamplerHandle> {
    return this.#make('sampler', 'createSampler', [model, options]);
  }

  closeSampler(sampler: SamplerHandle): void {
    const handle = this.#own(sampler);
    handle.closed = true;
    this.#supervisor.notify('closeSampler', [{ $handle: handle.number }]);
  }

  async createContext(
    model: ModelHandle,
    options: NativeContextOptions,
    onEvents: (events: NativeStepEvents) => void,
  ): Promise<NativeContext> {
    const number = ++this.#lastNumber;
    const { speculation, adapters, restartable = false, ...others } = options;
    const draft = speculation?.draftModel;
    const guesses = speculation && { ...speculation, ...(draft && { draftModel: this.#refer(draft) }) };
    const applied = adapters?.map(({ adapter, scale }) => ({ adapter: this.#refer(adapter), scale }));
    const parts = { ...(guesses && { speculation: guesses }), ...(applied && { adapters: applied }) };
    const values = [this.#refer(model), { ...others, ...parts }];
    this.#supervisor.listen(number, onEvents);
    try {
      const sizes = await this.#supervisor.call('createContext', values, { makes: number });
      const life = restartable ? undefined : this.#supervisor.lives;
      if (restartable)
        this.#supervisor.remember(number, { method: 'createContext', arguments: values, onEvents });
      const handle = this.#place(new RemoteHandle(this, 'context', number, life));
      return { ...(sizes as Omit<NativeContext, 'handle'>), handle };
    } catch (error) {
      this.#supervisor.forget(number);
      throw error;
    }
  }

  async closeContext(context: ContextHandle): Promise<void> {
    await this.#close('closeContext', context);
  }

  eval(
    context: ContextHandle,
    tokens: Int32Array,
    sequence: number,
    position: number,
    allLogits: boolean,
  ): Promise<void> {
    return this.#call('eval', [context, tokens, sequence, position, allLogits]);
  }

  getLogits(context: ContextHandle, index: number): Promise<Float32Array> {
    return this.#call('getLogits', [context, index]);
  }

  sample(context: ContextHandle, sampler: SamplerHandle, index: number): Promise<number> {
    return this.#call('sample', [context, sampler, index]);
  }

  changeMemory(
    context: ContextHandle,
    operation: MemoryOperation,
    sequence: number,
    target: number,
    from: number,
    to: number,
    delta: number,
  ): Promise<boolean> {
    return this.#call('changeMemory', [context, operation, sequence, target, from, to, delta]);
  }

  getSequenceRange(context: ContextHandle, sequence: number): Promise<[number, number]> {
    return this.#call('getSequenceRange', [context, sequence]);
  }

  saveSequence(context: ContextHandle, sequence: number): Promise<Uint8Array> {
    return this.#call('saveSequence', [context, sequence]);
  }

  savePrefix(context: ContextHandle, sequence: number, length: number): Promise<Uint8Array | undefined> {
    return this.#call('savePrefix', [context, sequence, length]);
  }

  restoreSequence(context: ContextHandle, sequence: number, state: Uint8Array): Promise<void> {
    return this.#call('restoreSequence', [context, sequence, state]);
  }

  submitGeneration(context: ContextHandle, request: NativeGenerationRequest): Promise<void> {
    const reference = this.#refer(context);
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      this.#supervisor.whenReady({
        send: (engine) => {
          const waitedMs = request.waitedMs + performance.now() - begun;
          const values = [reference, { ...request, waitedMs }];
          engine.submit(reference.$handle, request.id, request.tokens, values).then(resolve, reject);
        },
        fail: reject,
      });
    });
  }

  async provideLogits(context: ContextHandle, id: number, logits: Float32Array): Promise<void> {
    const reference = this.#refer(context);
    // The processor may use its array again before it is written.
    const values = [reference, id, logits instanceof Float32Array ? logits.slice() : logits];
    await this.#supervisor.engine?.provideLogits(reference.$handle, id, values);
  }

  cancelGeneration(context: ContextHandle, id: number): void {
    this.#notify('cancelGeneration', [context, id]);
  }

  setEvictable(context: ContextHandle, sequences: Int32Array, keys: Int32Array): void {
    this.#notify('setEvictable', [context, sequences, keys]);
  }

  embed(context: ContextHandle, texts: readonly NativeEmbedText[]): Promise<Float32Array[]> {
    return this.#call('embed', [context, texts]);
  }

  scoreWindows(context: ContextHandle, request: NativeScoreRequest): Promise<NativeScores> {
    return this.#call('scoreWindows', [context, request]);
  }

  getImatrix(context: ContextHandle): Promise<NativeImatrixEntry[]> {
    return this.#call('getImatrix', [context]);
  }

  async getMetrics(context: ContextHandle): Promise<NativeMetrics> {
    type Metrics = NativeMetrics & { readonly memoryBytes: number };
    const { memoryBytes, ...metrics } = await this.#call<Metrics>('getMetrics', [context]);
    const processId = this.#supervisor.engine?.processId ?? 0;
    return { ...metrics, engineProcess: { processId, memoryBytes, restarts: this.#supervisor.lives - 1 } };
  }

  /** Has a call cancelled once the flag is set. */
  #cancelledBy(flag: CancelFlag): (call: number) => void {
    const cancel = (call: number) => this.#supervisor.notify('cancelCall', [call]);
    return (call) => (flag as RemoteCancelFlag).onSet(() => cancel(call));
  }

  async #call<Result>(
    method: EngineMethod,
    values: readonly unknown[],
    options?: CallOptions,
  ): Promise<Result> {
    return (await this.#supervisor.call(method, this.#toSent(values), options)) as Result;
  }

  #notify(notice: EngineNotice, values: readonly unknown[]): void {
    this.#supervisor.notify(notice, this.#toSent(values));
  }

  /** Makes something that lives no longer than the engine. */
  async #make<Kind extends NativeHandle['kind']>(
    kind: Kind,
    method: EngineMethod,
    values: readonly unknown[],
  ): Promise<RemoteHandle<Kind>> {
    const number = ++this.#lastNumber;
    await this.#call(method, values, { makes: number });
    return this.#place(new RemoteHandle(this, kind, number, this.#supervisor.lives));
  }

  /** Closes what is there; what the engine was lost with needs no closing. */
  async #close(method: 'closeModel' | 'closeContext', handle: NativeHandle): Promise<void> {
    const own = this.#own(handle);
    const { number, life } = own;
    own.closed = true;
    this.#supervisor.forget(number);
    if (life !== undefined && life !== this.#supervisor.lives) return;
    await this.#supervisor.engine?.call(method, [{ $handle: number }]).catch(() => {});
  }

  #place<Handle extends RemoteHandle>(handle: Handle): Handle & NativeHandle {
    const supervisor = this.#supervisor;
    const { kind, number } = handle;
    const reference: HandleReference = { $handle: number };
    this.#abandoned.register(handle, () => {
      supervisor.forget(number);
      if (kind === 'context') supervisor.engine?.call('closeContext', [reference]).catch(() => {});
      else supervisor.engine?.notify('forget', [reference]);
    });
    const placed = handle as Handle & NativeHandle;
    placeElsewhere(placed, this);
    return placed;
  }

  #toSent(values: readonly unknown[]): unknown[] {
    return values.map((value) => (value instanceof RemoteHandle ? this.#refer(value) : value));
  }

  /** @throws EngineCrashedError for what was lost, ClosedError for what was closed. */
  #refer(handle: NativeHandle | RemoteHandle): HandleReference {
    if (handle instanceof RemoteHandle && handle.closed)
      throw createError('CLOSED', `The ${handle.kind} is closed.`);
    const { kind, number, life } = this.#own(handle);
    const isLost =
      life !== undefined && (this.#supervisor.engine === undefined || life !== this.#supervisor.lives);
    if (isLost) throw lostError(kind);
    return { $handle: number };
  }

  #own(handle: NativeHandle | RemoteHandle): RemoteHandle {
    if (handle instanceof RemoteHandle && handle.owner === this) return handle;
    const { kind } = handle;
    throw createError('INVALID_ARGUMENT', `Expected a ${kind} of this model; received another model's.`);
  }

  #modelOf(handle: ModelHandle): RemoteModel {
    if (handle instanceof RemoteModel) return handle;
    throw createError('INVALID_HANDLE', 'Expected a model of this engine; received another object.');
  }
}
