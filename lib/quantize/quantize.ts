import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { abortError, invalidArgument } from '../arguments.js';
import { type IsolatedEngine, startIsolatedEngine } from '../isolate/index.js';
import { type Addon, getAddon, type NativeQuantizeOptions } from '../native/addon.js';
import { checkQuantizeOptions } from './check-options.js';
import { checkNamedTypes, checkPlan, needsImportance } from './check-plan.js';
import { checkImatrixFits, type ImportanceMatrix, readImportanceMatrix } from './imatrix.js';
import { bitsPerWeight, paddedBytes, type QuantizationPlan, readPlan, sharesOf } from './plan.js';
import { namesAfterPruning } from './pruned-names.js';
import type { QuantizationType } from './quantization-types.js';
import { progressOver, runNative } from './run-native.js';
import { openSourceModel, type SourceModel } from './source-model.js';
import { tensorTypeNumber, toNativeTensorTypes } from './tensor-choices.js';
import type { QuantizeOptions, QuantizeResult } from './types.js';
import { sizeOf, writeOutput } from './write-output.js';

/** Everything that is known before llama.cpp is asked. */
interface Request {
  readonly type: QuantizationType;
  readonly options: QuantizeOptions;
  readonly model: SourceModel;
  readonly imatrix: ImportanceMatrix | undefined;
  /** Names of the tensors in the output, with those in the model. */
  readonly names: ReadonlyMap<string, string>;
  readonly native: NativeQuantizeOptions;
}

/**
 * Makes a smaller file of a model: its weights in fewer bits. The tensors are byte for byte those of `llama-quantize`.
 * The output is written beside its place and moved there when it is whole.
 *
 * @param input path of a GGUF file; of a model in several files, the first.
 * @param output path of the file to write. With `dryRun` it may be undefined.
 * @throws InvalidArgumentError for options that do not fit each other or the model: the message says what to change.
 * @throws ModelLoadError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED.
 * @throws ConversionError IMATRIX_INVALID, QUANTIZATION_FAILED.
 * @throws LlamaNativeError OUTPUT_EXISTS, DISK_FULL, FILE_ACCESS_FAILED, OUT_OF_MEMORY; AbortError.
 *
 * @example
 * ```ts
 * import { quantize } from 'llama-native';
 *
 * const { bytesAfter, bitsPerWeight } = await quantize('model-f16.gguf', 'model-Q4_K_M.gguf', {
 *   type: 'Q4_K_M',
 *   onProgress: ({ tensor, fraction }) => console.log(`${Math.round(100 * fraction)} % ${tensor}`),
 * });
 * ```
 */
export async function quantize(
  input: string,
  output: string | undefined,
  options: QuantizeOptions,
): Promise<QuantizeResult> {
  const startEngine = async () => (options.isolate ? startIsolatedEngine(options.isolate) : undefined);
  return quantizeInto(startEngine, input, output, options);
}

/**
 * As {@link quantize}, in the engine that is started once the model is checked, and closed at the end.
 * @internal
 */
export async function quantizeInto(
  startEngine: () => Promise<IsolatedEngine | undefined>,
  input: string,
  output: string | undefined,
  options: QuantizeOptions,
): Promise<QuantizeResult> {
  const begun = performance.now();
  const type = checkQuantizeOptions(options);
  const { signal, dryRun = false } = options;
  if (signal?.aborted) throw abortError(signal, `Quantizing ${input}`);
  if (!dryRun && typeof output !== 'string')
    throw invalidArgument('output', 'the path of a file to write', output);
  const request = await prepare(input, type, options);
  const engine = await startEngine();
  try {
    const addon = engine?.addon ?? getAddon();
    const plan = await makePlan(addon, request);
    const paths = dryRun || output === undefined ? [] : await write(addon, request, plan, output);
    return await describe(request, plan, paths, performance.now() - begun);
  } finally {
    await engine?.close();
  }
}

/** Reads and checks all that the quantization begins with. */
async function prepare(input: string, type: QuantizationType, options: QuantizeOptions): Promise<Request> {
  const { signal, pruneLayers = [] } = options;
  const model = await openSourceModel(input, signal);
  const imatrix =
    options.imatrix === undefined ? undefined : await readImportanceMatrix(options.imatrix, signal);
  if (imatrix !== undefined) checkImatrixFits(imatrix, model);
  checkNamedTypes(model, options);
  const names = namesAfterPruning(model, pruneLayers);
  return {
    type,
    options,
    model,
    imatrix,
    names,
    native: toNativeOptions(type, options, model, imatrix, names),
  };
}

function toNativeOptions(
  type: QuantizationType,
  options: QuantizeOptions,
  model: SourceModel,
  imatrix: ImportanceMatrix | undefined,
  names: ReadonlyMap<string, string>,
): NativeQuantizeOptions {
  const { outputTensorType, tokenEmbeddingType, pruneLayers = [] } = options;
  return {
    fileType: type.fileType,
    onlyCopy: type.name === 'COPY',
    threads: options.threads ?? Math.min(availableParallelism(), 512),
    allowRequantize: options.allowRequantize ?? false,
    leaveOutputTensor: options.leaveOutputTensor ?? false,
    pure: options.pure ?? false,
    keepSplit: (options.keepSplit ?? false) && model.files.length > 1,
    ...(outputTensorType === undefined ? {} : { outputTensorType: tensorTypeNumber(outputTensorType) }),
    ...(tokenEmbeddingType === undefined ? {} : { tokenEmbeddingType: tensorTypeNumber(tokenEmbeddingType) }),
    tensorTypes: toNativeTensorTypes(options.tensorTypes, names.keys()),
    pruneLayers: [...new Set(pruneLayers)].sort((a, b) => a - b),
    imatrix: [...(imatrix?.entries ?? [])].map(([name, values]) => ({ name, values })),
    metadata: [...alignmentOf(model), ...metadataOf(imatrix)],
  };
}

/** llama.cpp aligns its output to 32 bytes whatever the input says, and copies what it says. */
function alignmentOf({ header }: SourceModel): NativeQuantizeOptions['metadata'] {
  return header.alignment === 32 ? [] : [{ key: 'general.alignment', value: 32 }];
}

/** What llama-quantize notes of an importance matrix, but without the folder that the file lies in. */
function metadataOf(imatrix: ImportanceMatrix | undefined): NativeQuantizeOptions['metadata'] {
  if (imatrix === undefined) return [];
  const { path, dataset, entries, chunkCount } = imatrix;
  return [
    { key: 'quantize.imatrix.file', value: shorten(basename(path)) },
    ...(dataset === undefined ? [] : [{ key: 'quantize.imatrix.dataset', value: shorten(dataset) }]),
    { key: 'quantize.imatrix.entries_count', value: entries.size },
    ...(chunkCount > 0 ? [{ key: 'quantize.imatrix.chunks_count', value: chunkCount }] : []),
  ];
}

/** Values have room for 127 bytes; a character is not cut in two. */
function shorten(text: string): string {
  let short = text;
  while (Buffer.byteLength(short) > 127) short = [...short].slice(0, -1).join('');
  return short;
}

/** Lets llama.cpp choose the types, which takes milliseconds, and refuses what would fail later. */
async function makePlan(addon: Addon, request: Request): Promise<QuantizationPlan> {
  const { model, options, names, type, imatrix } = request;
  const log = await runNative({
    addon,
    input: model.header.path,
    output: '',
    options: { ...request.native, dryRun: true },
    signal: options.signal,
    onProgress: () => {},
  });
  const plan = readPlan(log, model, names);
  if (options.dryRun !== true) checkPlan(plan.tensors, type, options, imatrix, names);
  return plan;
}

async function write(
  addon: Addon,
  request: Request,
  plan: QuantizationPlan,
  output: string,
): Promise<readonly string[]> {
  const { model, options, native } = request;
  const { signal, overwrite = false, onProgress } = options;
  const inputs = model.files.map(({ path }) => path);
  const count = native.keepSplit ? inputs.length : 1;
  const file = { inputs, overwrite, neededBytes: outputBytes(request, plan), signal };
  return writeOutput(output, count, file, async (temporaryPath) => {
    const progress = progressOver(plan.tensors, onProgress);
    await runNative({
      addon,
      input: model.header.path,
      output: temporaryPath,
      options: { ...native, dryRun: false },
      signal,
      onProgress: progress,
    });
  });
}

/** Size of the output, to within what is added to the metadata. */
function outputBytes({ model }: Request, plan: QuantizationPlan): number {
  const headers = model.files.reduce((sum, { dataOffset }) => sum + dataOffset, 0);
  return headers + paddedBytes(plan.tensors);
}

async function describe(
  request: Request,
  plan: QuantizationPlan,
  paths: readonly string[],
  elapsedMs: number,
): Promise<QuantizeResult> {
  const { type, model, imatrix, names } = request;
  const quantized = plan.tensors.filter((tensor) => tensor.type !== tensor.sourceType);
  return {
    path: paths[0],
    paths,
    type: type.name,
    bytesBefore: model.files.reduce((sum, { fileSize }) => sum + fileSize, 0),
    bytesAfter: paths.length === 0 ? outputBytes(request, plan) : await sizeOf(paths),
    bitsPerWeight: bitsPerWeight(plan.tensors),
    types: sharesOf(plan.tensors),
    tensors: plan.tensors,
    fallbackCount: plan.fallbackCount,
    needsImatrix: plan.tensors.some((tensor) => needsImportance(tensor, type)),
    imatrix: imatrix && {
      entryCount: imatrix.entries.size,
      missing: quantized
        .map(({ name }) => name)
        .filter((name) => !imatrix.entries.has(names.get(name) ?? name)),
    },
    elapsedMs,
  };
}
