import { EventEmitter } from 'node:events';
import { checkString, toTokenArray } from '../arguments.js';
import { type ChatCallOptions, sortOptions } from '../chat/answer-options.js';
import type { ParseAnswer } from '../chat/answer-reader.js';
import { Chat, type ChatOptions, checkAnswerable, startAnswer } from '../chat/chat.js';
import { type ChatFileModel, checkSameModel, readChatFile, writeChatFile } from '../chat/chat-file.js';
import {
  type PromptRequest,
  type RenderedPrompt,
  renderChat,
  renderPrompt,
  toChatSampling,
} from '../chat/render.js';
import { toPromptRequest } from '../chat/run-answer.js';
import type { ChatAnswer, ChatMessage, ChatTemplateOptions, RenderedChat } from '../chat/types.js';
import { checkEmbedOptions, checkRankArguments, checkTexts } from '../embed/check-options.js';
import { Embedder } from '../embed/embedder.js';
import { EmbeddingQueues } from '../embed/embedding-queues.js';
import { Ranker } from '../embed/ranker.js';
import type { EmbedOptions, RankOptions } from '../embed/types.js';
import { Context, type ContextOptions, checkContextOptions, Sampler } from '../engine/context.js';
import type { Engine } from '../engine/engine.js';
import type { PreparedPrompt } from '../engine/job.js';
import type { ModelMetrics } from '../engine/metrics.js';
import { createError } from '../errors.js';
import { Evaluator, type EvaluatorSettings } from '../evaluate/evaluator.js';
import {
  checkGenerateManyOptions,
  checkGenerateOptions,
  toNativeLogprobs,
  toNativeSampling,
} from '../generate/check-options.js';
import type { GenerationStream } from '../generate/generation-stream.js';
import type { SamplingOptions } from '../generate/sampling-options.js';
import { answerSeeds } from '../generate/seeds.js';
import type { GenerateManyOptions, GenerateOptions, Generation } from '../generate/types.js';
import type { CrashReport, IsolatedEngine } from '../isolate/index.js';
import { addonOf, type ModelHandle } from '../native/addon.js';
import { generateObject, streamObject } from '../object/generate-object.js';
import type {
  AnyObjectOptions,
  ChoiceObjectOptions,
  InferObject,
  ObjectAnswer,
  ObjectResult,
  ObjectSchema,
  RetryOptions,
  SchemaObjectAnswer,
  SchemaObjectOptions,
  TextObjectOptions,
} from '../object/types.js';
import type { ModelAdapters } from './adapters.js';
import { checkCacheFits } from './cache-size.js';
import { detokenizeLists, tokenizeAtOnce, tokenizeTexts } from './tokenize.js';
import type { DetokenizeOptions, ModelMetadata, TokenizeOptions } from './types.js';

type Dependent = Context | Sampler | Evaluator;

/** What `loadModel` hands to a model. */
export interface ModelParts {
  readonly handle: ModelHandle;
  readonly path: string;
  readonly metadata: ModelMetadata;
  readonly chatTemplate: string | undefined;
  readonly threads: number;
  readonly batchSize: number;
  readonly vocabOnly: boolean;
  /** Missing with `vocabOnly`, and for models that generate no text. */
  readonly engine: Engine | undefined;
  /** Guesses for it; closed with it. */
  readonly draftHandle: ModelHandle | undefined;
  /** What changes its weights; freed with it. */
  readonly adapters: ModelAdapters;
  /** The process that all of it is in, if it is not this one; closed with it. */
  readonly isolatedEngine: IsolatedEngine | undefined;
}

/** Events of a {@link Model}, with what their listeners get. */
export interface ModelEvents {
  /** How the model is doing: while it works at most every `metricsIntervalMs`, and when it has become idle. */
  metrics: [ModelMetrics];
  /** The process of a model that was loaded with `isolate` ended unasked. The next call starts another one. */
  crash: [CrashReport];
}

/**
 * A loaded model. Made by {@link loadModel}; give its memory back with `close()`, or let `await using` do it.
 *
 * @example
 * ```ts
 * model.on('metrics', ({ running, waiting, tokensPerSecond }) => console.log({ running, waiting, tokensPerSecond }));
 * ```
 */
export class Model extends EventEmitter<ModelEvents> {
  /** Absolute path of the file. */
  readonly path: string;
  /** What the file says of itself. */
  readonly metadata: ModelMetadata;
  /** Threads used for evaluation. */
  readonly threads: number;
  readonly #handle: ModelHandle;
  readonly #engine: Engine | undefined;
  readonly #draftHandle: ModelHandle | undefined;
  readonly #adapters: ModelAdapters;
  readonly #isolatedEngine: IsolatedEngine | undefined;
  readonly #chatTemplate: string | undefined;
  readonly #batchSize: number;
  readonly #vocabOnly: boolean;
  /** Contexts and what else was made here; they hold the native model and are closed with it. */
  readonly #dependents = new Set<WeakRef<Dependent>>();
  readonly #forgotten = new FinalizationRegistry<WeakRef<Dependent>>((reference) => {
    this.#dependents.delete(reference);
  });
  /** Made by the first call of {@link embed} or {@link rank}. */
  #embeddingQueues: EmbeddingQueues | undefined;
  #embedder: Embedder | undefined;
  #ranker: Ranker | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(parts: ModelParts) {
    super();
    this.path = parts.path;
    this.metadata = parts.metadata;
    this.threads = parts.threads;
    this.#handle = parts.handle;
    this.#engine = parts.engine;
    this.#draftHandle = parts.draftHandle;
    this.#adapters = parts.adapters;
    this.#isolatedEngine = parts.isolatedEngine;
    this.#chatTemplate = parts.chatTemplate;
    this.#batchSize = parts.batchSize;
    this.#vocabOnly = parts.vocabOnly;
    this.#engine?.listenToMetrics({
      isWanted: () => this.listenerCount('metrics') > 0,
      report: (metrics) => this.emit('metrics', metrics),
    });
    if (this.#isolatedEngine !== undefined) passCrashesOn(this.#isolatedEngine, new WeakRef(this));
  }

  /** Tokens held in the KV cache, all sequences together; 0 with `vocabOnly`. */
  get contextSize(): number {
    return this.#engine?.contextSize ?? 0;
  }

  /**
   * Turns text into tokens; several texts at once are cheaper than several calls.
   * @throws InvalidArgumentError, ClosedError.
   */
  async tokenize(text: string, options?: TokenizeOptions): Promise<Int32Array>;
  async tokenize(texts: readonly string[], options?: TokenizeOptions): Promise<Int32Array[]>;
  async tokenize(
    text: string | readonly string[],
    options: TokenizeOptions = {},
  ): Promise<Int32Array | Int32Array[]> {
    return tokenizeTexts(this.#open(), text, options);
  }

  /**
   * As {@link tokenize}, at once and on this thread: for short texts, about a microsecond a token.
   * @throws NOT_IN_PROCESS if the model was loaded with `isolate`.
   */
  tokenizeSync(text: string, options: TokenizeOptions = {}): Int32Array {
    return tokenizeAtOnce(this.#open(), text, options);
  }

  /**
   * Turns tokens into text; several lists at once are cheaper than several calls.
   * @throws InvalidArgumentError with code INVALID_TOKEN for an id outside the vocabulary.
   */
  async detokenize(tokens: Int32Array | readonly number[], options?: DetokenizeOptions): Promise<string>;
  async detokenize(tokens: readonly Int32Array[], options?: DetokenizeOptions): Promise<string[]>;
  async detokenize(
    tokens: Int32Array | readonly number[] | readonly Int32Array[],
    options: DetokenizeOptions = {},
  ): Promise<string | string[]> {
    return detokenizeLists(this.#open(), tokens, options);
  }

  /**
   * Continues a prompt, given as text or as tokens. Starts at once; more calls than `sequences` wait their turn.
   * @throws InvalidArgumentError for a bad option, at once.
   * @throws ContextError PROMPT_TOO_LONG and others, through iteration and `result`.
   *
   * @example
   * ```ts
   * for await (const { text } of model.generate('Once upon a time', { maxTokens: 50 })) process.stdout.write(text);
   * ```
   */
  generate(prompt: string | Int32Array | readonly number[], options: GenerateOptions = {}): Generation {
    checkGenerateOptions(options);
    const { addSpecial = true, parseSpecial = false } = options;
    const tokens =
      typeof prompt === 'string'
        ? this.tokenize(prompt, { addSpecial, parseSpecial })
        : Promise.resolve(toTokenArray('prompt', prompt));
    return this.#generate(
      tokens.then((list) => ({ tokens: list, stopStrings: stopList(options) })),
      options,
    );
  }

  /**
   * Several answers to one prompt, which is read once: the others continue from the cells of the first. The first answer
   * is that of {@link generate} with the same seed; the seeds of the others are made from it, so they differ and come
   * again with the same `seed`. More than `sequences` wait their turn.
   * @param options those of {@link generate}, and `n`, how many, 1 to 256; `signal` cancels all of them.
   * @throws InvalidArgumentError for a bad option, at once.
   *
   * @example
   * ```ts
   * const answers = model.generateMany('The best name for a cat is', { n: 3, seed: 1, maxTokens: 8 });
   * for (const { text } of await Promise.all(answers.map(({ result }) => result))) console.log(text);
   * ```
   */
  generateMany(prompt: string | Int32Array | readonly number[], options: GenerateManyOptions): Generation[] {
    const { n, ...others } = checkGenerateManyOptions(options);
    const { addSpecial = true, parseSpecial = false } = others;
    const tokens =
      typeof prompt === 'string'
        ? this.tokenize(prompt, { addSpecial, parseSpecial })
        : Promise.resolve(toTokenArray('prompt', prompt));
    const prepared = tokens.then((list) => ({ tokens: list, stopStrings: stopList(others) }));
    return answerSeeds(others.seed, n).map((seed) => this.#generate(prepared, { ...others, seed }));
  }

  /** @internal For chats. */
  async renderPrompt(request: PromptRequest): Promise<RenderedPrompt> {
    const template = request.template ?? this.#chatTemplate;
    return renderPrompt(this.#open(), { ...request, ...(template !== undefined && { template }) });
  }

  /** @internal For chats. */
  async createAnswerParser(
    { format, parser: source, generationPrompt }: RenderedPrompt,
    isContinuation: boolean,
  ): Promise<ParseAnswer> {
    const addon = addonOf(this.#open());
    const parser = await addon.createChatParser({ format, source, generationPrompt, isContinuation });
    return (text, isPartial) => addon.parseChat(parser, text, isPartial);
  }

  /** @internal For chats: the prompt is still being rendered, and brings stop strings of its own. */
  generateRendered(prompt: Promise<RenderedPrompt>, options: GenerateOptions): GenerationStream {
    const prepared = prompt.then((rendered) => ({
      tokens: rendered.tokens,
      stopStrings: [...stopList(options), ...rendered.stops],
      ...(rendered.visibleTokens && { visibleTokens: rendered.visibleTokens }),
      sampling: toChatSampling(rendered),
    }));
    return this.#generate(prepared, options);
  }

  /**
   * Turns texts into vectors: texts of similar meaning get vectors of similar direction, if the model was trained for
   * that. Texts share batches, also those of several calls; the results come in the order of the texts.
   * @returns the embedding of a text, or of each text of an array. See {@link EmbedOptions.pooling} for its length.
   * @throws InvalidArgumentError for bad arguments and for a text without any token.
   * @throws ContextError PROMPT_TOO_LONG, NO_WEIGHTS, OUT_OF_MEMORY; ModelLoadError MODEL_UNSUPPORTED.
   * @throws AbortError when `signal` fires.
   *
   * @example
   * ```ts
   * const [query, answer] = await model.embed(['How tall is it?', 'Its height is 330 metres.']);
   * const cosine = query.reduce((sum, value, index) => sum + value * answer[index], 0);
   * ```
   */
  async embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  async embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  async embed(
    texts: string | readonly string[],
    options: EmbedOptions = {},
  ): Promise<Float32Array | Float32Array[]> {
    const model = this.#open();
    checkTexts(texts);
    checkEmbedOptions(options);
    this.#embedder ??= new Embedder(model, this.#queuesFor(model, 'compute embeddings'));
    if (typeof texts !== 'string') return this.#embedder.embed(texts, options);
    const [embedding = new Float32Array()] = await this.#embedder.embed([texts], options);
    return embedding;
  }

  /**
   * Tells how well documents answer a query: the higher a score, the better. For models that were made for it
   * (rerankers), which read the query together with each document. Documents share batches, also those of several calls.
   * @returns a score for each document, in their order: a logit with most models, so any number; a probability with
   * Qwen3's rerankers. Only scores of one model and one query are worth comparing.
   * @throws InvalidArgumentError for bad arguments.
   * @throws ContextError PROMPT_TOO_LONG if a document and the query together do not fit the context; NO_WEIGHTS,
   * OUT_OF_MEMORY; ModelLoadError MODEL_UNSUPPORTED for a model that is no reranker.
   * @throws AbortError when `signal` fires.
   *
   * @example
   * ```ts
   * const model = await loadModel('reranker.gguf');
   * const documents = ['It is painted brown.', 'Its height is 330 metres.'];
   * const scores = await model.rank('How tall is the Eiffel Tower?', documents);
   * const best = documents[scores.indexOf(Math.max(...scores))];
   * await model.close();
   * ```
   */
  async rank(query: string, documents: readonly string[], options: RankOptions = {}): Promise<number[]> {
    const model = this.#open();
    checkRankArguments(query, documents, options);
    this.#ranker ??= new Ranker(model, this.#queuesFor(model, 'rank'));
    return this.#ranker.rank(query, documents, options);
  }

  /**
   * Answers a conversation once; nothing is remembered. A last message of the assistant is continued.
   * @throws InvalidArgumentError; ChatError INVALID_MESSAGES, CONTENT_UNSUPPORTED; ToolError, at once.
   * @throws ChatError NO_CHAT_TEMPLATE, CHAT_TEMPLATE_FAILED, CHAT_OUTPUT_INVALID; ContextError PROMPT_TOO_LONG, through
   * iteration and `result`.
   *
   * @example
   * ```ts
   * const { text } = await model.chat([{ role: 'user', content: 'What is the capital of France?' }]).result;
   * ```
   */
  chat(messages: readonly ChatMessage[], options: ChatCallOptions = {}): ChatAnswer {
    this.#open();
    const sorted = sortOptions(options);
    checkAnswerable(messages);
    return startAnswer(this, [...messages], { ...sorted, overflow: 'error' });
  }

  /**
   * How many tokens {@link chat} would read for a conversation, with what its template adds and the tools; nothing is
   * evaluated. Takes the options of {@link chat}.
   * @throws InvalidArgumentError; ChatError INVALID_MESSAGES, CONTENT_UNSUPPORTED, NO_CHAT_TEMPLATE,
   * CHAT_TEMPLATE_FAILED; ToolError.
   *
   * @example
   * ```ts
   * const count = await model.countTokens([{ role: 'user', content: 'What is the capital of France?' }]);
   * ```
   */
  async countTokens(messages: readonly ChatMessage[], options: ChatCallOptions = {}): Promise<number> {
    const sorted = sortOptions(options);
    checkAnswerable(messages);
    const { tokens } = await this.renderPrompt(toPromptRequest(messages, sorted));
    return tokens.length;
  }

  /**
   * Answers in a form: JSON that fits a schema, one of several texts, or text that follows a regular expression or a
   * grammar. The model's chat template is used.
   * @returns the answer, of the type that the schema or the choice tells.
   * @throws InvalidArgumentError, INVALID_SCHEMA, INVALID_REGEX, INVALID_GRAMMAR.
   * @throws ObjectError OBJECT_INCOMPLETE if the answer was cut, OBJECT_INVALID if its schema refuses it.
   * @throws ChatError, ContextError as {@link chat}.
   *
   * @example
   * ```ts
   * const { object } = await model.generateObject({
   *   schema: {
   *     type: 'object',
   *     properties: { city: { type: 'string', maxLength: 30 }, population: { type: 'integer' } },
   *     required: ['city', 'population'],
   *   },
   *   prompt: 'What is the largest city of Japan?',
   * });
   * console.log(object.city.toUpperCase(), object.population);
   * ```
   */
  async generateObject<const Schema extends ObjectSchema>(
    options: SchemaObjectOptions<Schema> & RetryOptions,
  ): Promise<ObjectResult<InferObject<Schema>>>;
  async generateObject<const Choice extends string>(
    options: ChoiceObjectOptions<Choice>,
  ): Promise<ObjectResult<Choice>>;
  async generateObject(options: TextObjectOptions): Promise<ObjectResult<string>>;
  async generateObject(options: AnyObjectOptions): Promise<ObjectResult<unknown>> {
    this.#open();
    return generateObject(this, options);
  }

  /**
   * As {@link generateObject}, and what is there of the answer can be looked at while it grows. Texts grow; numbers and
   * words appear when they are complete. `items` are those of an array, each when it is complete.
   * @throws InvalidArgumentError, INVALID_SCHEMA, INVALID_REGEX, at once; all else through iteration and `result`.
   *
   * @example
   * ```ts
   * const answer = model.streamObject({
   *   schema: { type: 'array', items: { type: 'string', maxLength: 20 }, minItems: 2, maxItems: 3 },
   *   prompt: 'Name rivers of Europe.',
   * });
   * for await (const river of answer.items) console.log(river);
   * ```
   */
  streamObject<const Schema extends ObjectSchema>(
    options: SchemaObjectOptions<Schema>,
  ): SchemaObjectAnswer<Schema>;
  streamObject<const Choice extends string>(
    options: ChoiceObjectOptions<Choice>,
  ): ObjectAnswer<Choice, string, never>;
  streamObject(options: TextObjectOptions): ObjectAnswer<string, string, never>;
  streamObject(options: AnyObjectOptions): ObjectAnswer<unknown, unknown, unknown> {
    this.#open();
    return streamObject(this, options);
  }

  /** Begins a conversation that is remembered. */
  createChat(options: ChatOptions = {}): Chat {
    this.#open();
    return new Chat(this, options);
  }

  /** @internal For chats. */
  async saveChat(
    path: string,
    first: readonly ChatMessage[],
    history: readonly ChatMessage[],
  ): Promise<void> {
    const { tokens } = await this.renderPrompt({ messages: history, addGenerationPrompt: false });
    const prefix = await this.#engine?.savePrefix(tokens);
    const { key: adapters } = this.#adapters;
    const model = { ...identityOf(this.metadata), ...(adapters === '' ? {} : { adapters }) };
    await writeChatFile(path, { model, first, history, ...(prefix && { prefix }) });
  }

  /**
   * Opens a conversation that {@link Chat.save} wrote: it goes on without reading the old messages again, unless it was
   * saved with other adapters.
   * @param options defaults for its answers; `system` and `history` come from the file.
   * @throws ContextError STATE_INVALID if the file is damaged, or was made by another model or version.
   */
  async restore(path: string, options: Omit<ChatOptions, 'system' | 'history'> = {}): Promise<Chat> {
    checkString('path', path);
    this.#open();
    const { model, first, history, prefix } = await readChatFile(path);
    checkSameModel(path, model, identityOf(this.metadata));
    const chat = new Chat(this, { ...options, history }, first);
    const { adapters = '' } = model; // with others, the model would have read the same messages otherwise
    if (prefix !== undefined && adapters === this.#adapters.key) await this.#engine?.restorePrefix(prefix);
    return chat;
  }

  /**
   * Renders messages to a prompt with the model's chat template, or with another one.
   * @throws ChatError NO_CHAT_TEMPLATE, CHAT_TEMPLATE_FAILED.
   */
  async applyChatTemplate(
    messages: readonly ChatMessage[],
    options: ChatTemplateOptions = {},
  ): Promise<RenderedChat> {
    const template = options.template ?? this.#chatTemplate;
    return renderChat(this.#open(), messages, {
      ...options,
      ...(template === undefined ? {} : { template }),
    });
  }

  /**
   * Creates a context for the low-level primitives, beside the one that `generate` uses.
   * @throws ContextError CONTEXT_CREATE_FAILED, OUT_OF_MEMORY, NO_WEIGHTS.
   */
  async createContext(options: ContextOptions = {}): Promise<Context> {
    const handle = this.#open();
    const { contextSize = this.contextSize || 512 } = options;
    checkContextOptions(options);
    checkCacheFits(handle, contextSize, options.keyType);
    const { applied: adapters } = this.#adapters;
    const defaults = { contextSize, batchSize: this.#batchSize, threads: this.threads, adapters };
    const context = await Context.create(handle, options, defaults);
    if (this.#closing !== undefined) {
      await context.close();
      this.#open(); // throws
    }
    this.#remember(context);
    return context;
  }

  /** @internal For measuring quality: a context that evaluates texts, beside the one that `generate` uses. */
  async createEvaluator(settings: EvaluatorSettings): Promise<Evaluator> {
    const handle = this.#open();
    if (this.#engine === undefined) throw this.#cannotGenerate();
    const defaults = { threads: this.threads, adapters: this.#adapters.applied };
    const evaluator = await Evaluator.create(handle, settings, defaults);
    if (this.#closing !== undefined) {
      await evaluator.close();
      this.#open(); // throws
    }
    this.#remember(evaluator);
    return evaluator;
  }

  /** Creates a sampler for {@link Context.sample}. */
  async createSampler(options: SamplingOptions = {}): Promise<Sampler> {
    const sampler = await Sampler.create(this.#open(), options);
    this.#remember(sampler);
    return sampler;
  }

  /**
   * How the model is doing now and what it has done since it was loaded: queue, batch fill, speed, cache.
   * @throws ContextError NO_WEIGHTS, MODEL_UNSUPPORTED for models that generate no text.
   */
  async metrics(): Promise<ModelMetrics> {
    this.#open();
    if (this.#engine === undefined) throw this.#cannotGenerate();
    return this.#engine.metrics();
  }

  /**
   * Ends what runs, closes the contexts, waits for calls in flight and gives all memory back. Closing twice is
   * allowed and waits for the same end.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const dependents = [...this.#dependents].map((reference) => reference.deref()?.close());
    await Promise.all([this.#engine?.close(), this.#embeddingQueues?.close(), ...dependents]);
    await addonOf(this.#handle).closeModel(this.#handle);
    if (this.#draftHandle !== undefined) await addonOf(this.#draftHandle).closeModel(this.#draftHandle);
    await this.#isolatedEngine?.close();
  }

  #open(): ModelHandle {
    if (this.#closing !== undefined)
      throw createError('CLOSED', 'The model is closed. Load it again to use it.');
    return this.#handle;
  }

  #queuesFor(model: ModelHandle, purpose: string): EmbeddingQueues {
    if (this.#vocabOnly) {
      const message = `The model was loaded with vocabOnly. Load it without that option to ${purpose}.`;
      throw createError('NO_WEIGHTS', message);
    }
    this.#embeddingQueues ??= new EmbeddingQueues(model, {
      contextSize: this.#engine?.contextSize,
      batchSize: this.#batchSize,
      threads: this.threads,
      adapters: this.#adapters.applied,
    });
    return this.#embeddingQueues;
  }

  #cannotGenerate(): Error {
    if (this.#vocabOnly) {
      const message = 'The model was loaded with vocabOnly. Load it without that option to generate.';
      return createError('NO_WEIGHTS', message);
    }
    const message = `Models of the architecture ${this.metadata.architecture} have an encoder and generate no text here.`;
    return createError('MODEL_UNSUPPORTED', message);
  }

  /** Keeps track of what has to be closed with the model, without keeping it alive. */
  #remember(dependent: Dependent): void {
    const reference = new WeakRef(dependent);
    this.#dependents.add(reference);
    this.#forgotten.register(dependent, reference);
  }

  #generate(prompt: Promise<PreparedPrompt>, options: GenerateOptions): GenerationStream {
    prompt.catch(() => {}); // the engine reports it; if there is none, what is thrown here comes first
    this.#open();
    if (this.#engine === undefined) throw this.#cannotGenerate();
    const { maxTokens, contextFull = 'stop', keepTokens = 4, priority = 0, signal } = options;
    return this.#engine.generate({
      prompt,
      sampling: toNativeSampling(options),
      maxTokens,
      contextFull,
      keepTokens,
      logprobs: toNativeLogprobs(options.logprobs),
      speculate: options.speculative ?? true,
      logitsProcessor: options.logitsProcessor,
      priority,
      signal,
      onStart: options.onStart,
    });
  }
}

/** A function of its own: a listener made inside of the model would hold it, and the process of the engine holds that. */
function passCrashesOn(engine: IsolatedEngine, reference: WeakRef<Model>): void {
  engine.listenToCrashes((report) => reference.deref()?.emit('crash', report));
}

function stopList({ stop = [] }: GenerateOptions): readonly string[] {
  return typeof stop === 'string' ? [stop] : stop;
}

function identityOf({
  description,
  parameterCount,
  sizeBytes,
  vocabularySize,
}: ModelMetadata): ChatFileModel {
  return { description, parameterCount, sizeBytes, vocabularySize };
}
