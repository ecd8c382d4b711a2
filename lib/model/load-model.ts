import {
  abortError,
  checkBoolean,
  checkCacheType,
  checkFunction,
  checkInteger,
  checkKeys,
  checkSignal,
  checkString,
  invalidArgument,
} from '../arguments.js';
import { explainContextFailure } from '../engine/context-failure.js';
import { prepareCacheDirectory } from '../engine/disk-tier.js';
import { Engine } from '../engine/engine.js';
import { checkPrefixCacheOptions } from '../engine/prefix-cache-options.js';
import { createError, LlamaNativeError } from '../errors.js';
import { checkModelFile, type GgufHeader } from '../gguf/index.js';
import { checkConnections } from '../hub/settings.js';
import { checkIsolateOptions, type IsolatedEngine, startIsolatedEngine } from '../isolate/index.js';
import { type Addon, addonOf, getAddon, type ModelHandle } from '../native/addon.js';
import { checkAdapters, findAdapters, type ModelAdapters, noAdapters, openAdapters } from './adapters.js';
import { checkCacheFits } from './cache-size.js';
import { checkConvertOptions } from './convert-source.js';
import { defaultThreads } from './default-threads.js';
import { toMetadata } from './metadata.js';
import { Model } from './model.js';
import { prefixStoreOptions } from './prefix-store-options.js';
import { resolveFileSource, resolveModelSource } from './resolve-source.js';
import { checkSpeculative } from './speculative.js';
import type { LoadModelOptions } from './types.js';

const loadKeys = [
  'gpuLayers',
  'contextSize',
  'batchSize',
  'threads',
  'sequences',
  'queueLimit',
  'keyType',
  'valueType',
  'adapters',
  'speculative',
  'metricsIntervalMs',
  'prefixCache',
  'slidingWindow',
  'vocabOnly',
  'memoryMap',
  'checkTensors',
  'isolate',
  'chatTemplate',
  'convert',
  'cacheDirectory',
  'token',
  'endpoint',
  'connections',
  'onProgress',
  'onWarning',
  'signal',
];

/** Most tokens of context taken by default: enough for a conversation, and its memory is small for any model. */
const defaultContextLimit = 4096;

function checkLoadOptions(options: LoadModelOptions): void {
  checkKeys('options', options, loadKeys);
  if (options.gpuLayers !== 'max') checkInteger('gpuLayers', options.gpuLayers, 0, 100_000);
  checkInteger('contextSize', options.contextSize, 1, 0x7fffffff);
  checkInteger('batchSize', options.batchSize, 1, 65536);
  checkInteger('threads', options.threads, 1, 512);
  checkInteger('sequences', options.sequences, 1, 64);
  checkInteger('queueLimit', options.queueLimit, 0, 1_000_000);
  checkCacheType('keyType', options.keyType);
  checkCacheType('valueType', options.valueType);
  checkAdapters(options.adapters);
  checkSpeculative(options.speculative);
  checkInteger('metricsIntervalMs', options.metricsIntervalMs, 10, 3_600_000);
  checkPrefixCacheOptions(options.prefixCache);
  if (![undefined, 'full', 'window'].includes(options.slidingWindow))
    throw invalidArgument('slidingWindow', "'full' or 'window'", options.slidingWindow);
  // Guesses that were wrong are taken back, and what the window lost to them does not come back.
  if (options.slidingWindow === 'window' && options.speculative !== undefined)
    throw invalidArgument('slidingWindow', "'full' beside speculative", options.slidingWindow);
  checkBoolean('vocabOnly', options.vocabOnly);
  checkBoolean('memoryMap', options.memoryMap);
  checkBoolean('checkTensors', options.checkTensors);
  checkIsolateOptions(options.isolate);
  checkString('chatTemplate', options.chatTemplate);
  checkConvertOptions(options.convert);
  checkString('cacheDirectory', options.cacheDirectory);
  checkString('token', options.token);
  checkString('endpoint', options.endpoint);
  checkConnections(options.connections);
  checkFunction('onProgress', options.onProgress);
  checkFunction('onWarning', options.onWarning);
  checkSignal(options.signal);
}

/** Gives a failed load the code that fits the reason in llama.cpp's log. */
function explainLoadFailure(error: unknown, path: string): unknown {
  if (!LlamaNativeError.isInstance(error) || error.code !== 'MODEL_LOAD_FAILED') return error;
  const reason = error.message;
  if (/unknown model architecture|unsupported model architecture|unknown pre-tokenizer/i.test(reason)) {
    const message = `This version of llama.cpp cannot load ${path}:\n${reason}\nA newer llama-native may.`;
    return createError('MODEL_UNSUPPORTED', message, { cause: error });
  }
  if (/failed to allocate|unable to allocate|out of memory/i.test(reason)) {
    const message = `Not enough memory to load ${path}:\n${reason}\nTake a smaller quantization or fewer gpuLayers.`;
    return createError('OUT_OF_MEMORY', message, { cause: error });
  }
  const message = `llama.cpp could not load ${path}:\n${reason || 'it gave no reason'}`;
  return createError('MODEL_LOAD_FAILED', message, { cause: error });
}

async function loadWeights(addon: Addon, path: string, options: LoadModelOptions): Promise<ModelHandle> {
  const { gpuLayers = 'max', vocabOnly = false, memoryMap = true, checkTensors = false, signal } = options;
  const flag = addon.createCancelFlag();
  const onAbort = () => addon.setCancelFlag(flag);
  let listenerError: unknown;
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort(); // it fired while the file was looked for
  try {
    const native = { gpuLayers: gpuLayers === 'max' ? -1 : gpuLayers, vocabOnly, memoryMap, checkTensors };
    const model = await addon.loadModel(path, native, flag, (fraction) => {
      if (listenerError !== undefined) return;
      try {
        options.onProgress?.({ stage: 'load', fraction });
      } catch (error) {
        listenerError = error; // the caller's own error ends the load and comes back to the caller
        onAbort();
      }
    });
    if (listenerError === undefined) return model;
    await addon.closeModel(model); // it was loaded before it could be stopped
    throw listenerError;
  } catch (error) {
    if (listenerError !== undefined) throw listenerError;
    if (signal?.aborted) throw abortError(signal, 'Loading the model');
    throw explainLoadFailure(error, path);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Checks the file of a model, and finds and checks what is to be loaded with it. */
async function findFiles(path: string, options: LoadModelOptions) {
  const { signal, vocabOnly = false } = options;
  const check = (file: string) => checkModelFile(file, signal === undefined ? {} : { signal });
  const resolve = (source: string) => resolveFileSource(source, options);
  const header = await check(path);
  const adapters = await findAdapters(header, vocabOnly ? [] : (options.adapters ?? []), resolve, signal);
  const { draftModel } = options.speculative ?? {};
  if (draftModel === undefined || vocabOnly) return { header, adapters, draft: undefined };
  const draftPath = await resolveModelSource(draftModel, options);
  await check(draftPath);
  return { header, adapters, draft: draftPath };
}

interface EngineParts {
  readonly threads: number;
  readonly batchSize: number;
  readonly draftHandle: ModelHandle | undefined;
  readonly adapters: ModelAdapters;
}

async function createEngine(
  handle: ModelHandle,
  header: GgufHeader,
  options: LoadModelOptions,
  { threads, batchSize, draftHandle, adapters }: EngineParts,
): Promise<Engine> {
  const info = addonOf(handle).getModelInfo(handle);
  const contextSize =
    options.contextSize ?? Math.min(info.trainedContextSize || defaultContextLimit, defaultContextLimit);
  const { sequences = 1, queueLimit = 1024, metricsIntervalMs = 1000, keyType, valueType } = options;
  const fullWindow = options.slidingWindow !== 'window' || info.slidingWindow === 0;
  const canShare = !info.isRecurrent && fullWindow;
  checkCacheFits(handle, contextSize, keyType);
  const { draftModel: _, ...limits } = options.speculative ?? {};
  const speculation = options.speculative && {
    ...limits,
    ...(draftHandle === undefined ? {} : { draftModel: draftHandle }),
  };
  try {
    return await Engine.create(handle, {
      contextSize,
      batchSize,
      sequences,
      threads,
      queueLimit,
      metricsIntervalMs,
      canShare,
      fullWindow,
      adapters: adapters.applied,
      store: await prefixStoreOptions(handle, header, adapters.key, options),
      ...(keyType === undefined ? {} : { keyType }),
      ...(valueType === undefined ? {} : { valueType }),
      ...(speculation === undefined ? {} : { speculation }),
    });
  } catch (error) {
    throw explainContextFailure(error, contextSize, 'a smaller contextSize or batchSize, or fewer gpuLayers');
  }
}

/**
 * Loads a model.
 *
 * @param source a path; `hf:owner/repo`, optionally with `:Q4_K_M` or `:file.gguf`; or an https URL. What is not on
 * this machine is downloaded once into the cache of the Hugging Face tools. A folder, or a repository, with safetensors
 * and no GGUF file is converted once into the same cache, GPTQ checkpoints included; see the option `convert`.
 * @throws ModelLoadError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, MODEL_LOAD_FAILED, ADAPTER_MISMATCH.
 * @throws ContextError OUT_OF_MEMORY, CONTEXT_CREATE_FAILED.
 * @throws LlamaNativeError FILE_ACCESS_FAILED if `prefixCache.directory` cannot be written to.
 * @throws DownloadError when the model cannot be fetched.
 * @throws ConversionError CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED when a checkpoint cannot be converted.
 * @throws EngineStartError with `isolate`, if its process cannot be started; EngineCrashedError if it ends while it loads.
 * @throws AbortError when `signal` fires.
 *
 * @example
 * ```ts
 * const model = await loadModel('hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M');
 * const { text } = await model.generate('The capital of France is', { maxTokens: 10 }).result;
 * await model.close();
 * ```
 */
export async function loadModel(source: string, options: LoadModelOptions = {}): Promise<Model> {
  const startEngine = async () => (isIsolated(options) ? startIsolatedEngine(options.isolate) : undefined);
  return loadModelInto(startEngine, source, options);
}

/**
 * As {@link loadModel}, into the engine that is started once the file is there. The model closes it.
 * @internal
 */
export async function loadModelInto(
  startEngine: () => Promise<IsolatedEngine | undefined>,
  source: string,
  options: LoadModelOptions,
): Promise<Model> {
  if (typeof source !== 'string' || source === '')
    throw invalidArgument('source', 'a path, hf:owner/repo or URL', source);
  checkLoadOptions(options);
  const { signal, vocabOnly = false } = options;
  if (signal?.aborted) throw abortError(signal, 'Loading the model');
  const { directory } = options.prefixCache ?? {};
  if (directory !== undefined) await prepareCacheDirectory(directory);
  const path = await resolveModelSource(source, options);
  const starting = startEngine(); // takes a moment, in which the files are checked
  starting.catch(() => {}); // it is waited for below
  const files = await findFiles(path, options).catch(async (error: unknown) => {
    const engine = await starting.catch(() => undefined);
    await engine?.close();
    throw error;
  });
  const { header, draft } = files;
  const isolatedEngine = await starting;
  const addon = isolatedEngine?.addon ?? getAddon();
  const opened: ModelHandle[] = [];
  const open = async (file: string) => {
    const handle = await loadWeights(addon, file, options);
    opened.push(handle);
    return handle;
  };
  try {
    const handle = await open(path);
    const adapters = vocabOnly ? noAdapters : await openAdapters(handle, files.adapters);
    const info = addon.getModelInfo(handle);
    const { threads = defaultThreads(), batchSize = 512, chatTemplate } = options;
    const canGenerate = !vocabOnly && info.hasDecoder && !info.hasEncoder;
    const draftHandle = canGenerate && draft !== undefined ? await open(draft) : undefined;
    const parts = { threads, batchSize, draftHandle, adapters, isolatedEngine };
    const engine = canGenerate ? await createEngine(handle, header, options, parts) : undefined;
    if (signal?.aborted) {
      await engine?.close();
      throw abortError(signal, 'Loading the model');
    }
    return new Model({
      ...parts,
      handle,
      path,
      metadata: toMetadata(info),
      chatTemplate,
      vocabOnly,
      engine,
    });
  } catch (error) {
    await Promise.all(opened.map((handle) => addon.closeModel(handle)));
    await isolatedEngine?.close();
    throw error;
  }
}

/** What `isolate` says; without it the environment decides for the whole program. */
function isIsolated({ isolate }: LoadModelOptions): boolean {
  if (isolate === undefined) return process.env.LLAMA_NATIVE_ISOLATE === '1';
  return isolate !== false;
}
