import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import {
  abortError,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkSignal,
  checkString,
  invalidArgument,
} from '../arguments.js';
import { writeWholeFile } from '../files/write-whole-file.js';
import { writeGgufAt } from '../gguf/write.js';
import { familyOf, type ModelLayout } from './architectures/index.js';
import { Checkpoint } from './checkpoint/index.js';
import { describeModel } from './config/read-config.js';
import { convertedType, fileTypes } from './file-type.js';
import { addGeneralMetadata } from './general/general-metadata.js';
import { type GptqLayerResult, gptqTensors, readGptqSettings, requantizeTypes } from './gptq/index.js';
import { locateCheckpoint } from './locate-checkpoint.js';
import { MetadataBuilder } from './metadata-builder.js';
import { type PlannedTensor, planTensors } from './plan-conversion.js';
import { withProgress } from './report-progress.js';
import { type ConvertType, convertTypes } from './tensors/output-type.js';
import { checkpointTensors, type SourceTensor } from './tensors/source-tensor.js';
import { TokenizerFiles } from './tokenizer/tokenizer-files.js';
import type { ConvertedType, ConvertOptions, ConvertResult } from './types.js';

/**
 * Converts a Hugging Face checkpoint to a GGUF file, with the content that llama.cpp's own converter writes.
 *
 * Tensors are read, converted and written piece by piece; memory does not grow with the model. The file appears under
 * its name when it is whole.
 *
 * @param source a folder with config.json, the tokenizer's files and safetensors files, or `hf:owner/repo[@revision]`,
 * which is downloaded into the cache of the Hugging Face tools.
 * @param output path of the GGUF file; default: name and type of the model, in the current folder.
 * @throws ConversionError CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED; OUTPUT_EXISTS, DISK_FULL, FILE_ACCESS_FAILED,
 * ABORTED, INVALID_ARGUMENT.
 * @example
 * ```ts
 * import { convert } from 'llama-native';
 *
 * const { path } = await convert('checkpoints/SmolLM2-135M', 'output.gguf', { type: 'q8_0', overwrite: true });
 * console.log(path);
 * ```
 */
export async function convert(
  source: string,
  output?: string,
  options: ConvertOptions = {},
): Promise<ConvertResult> {
  checkArguments(source, output, options);
  const { folder, name } = await locateCheckpoint(source, options);
  const checkpoint = await Checkpoint.open(folder);
  try {
    return await convertCheckpoint(checkpoint, name, output, options);
  } finally {
    await checkpoint.close();
  }
}

function checkArguments(source: unknown, output: unknown, options: ConvertOptions): void {
  if (typeof source !== 'string' || source === '' || source.includes('\0')) {
    throw invalidArgument('source', 'the path of a folder', source);
  }
  if (output !== undefined && (typeof output !== 'string' || output === '')) {
    throw invalidArgument('output', 'the path of a file', output);
  }
  checkKeys('options', options, [
    'type',
    'requantize',
    'threads',
    'onProgress',
    'signal',
    'overwrite',
    'preTokenizer',
    'cacheDirectory',
    'token',
    'endpoint',
  ]);
  if (options.type !== undefined && !convertTypes.includes(options.type)) {
    throw invalidArgument('type', `one of ${convertTypes.join(', ')}`, options.type);
  }
  if (options.requantize !== undefined && !requantizeTypes.includes(options.requantize)) {
    throw invalidArgument('requantize', `one of ${requantizeTypes.join(', ')}`, options.requantize);
  }
  checkInteger('threads', options.threads, 1, 512);
  checkFunction('onProgress', options.onProgress);
  checkSignal(options.signal);
  checkBoolean('overwrite', options.overwrite);
  checkString('preTokenizer', options.preTokenizer);
}

async function convertCheckpoint(
  checkpoint: Checkpoint,
  name: string,
  output: string | undefined,
  options: ConvertOptions,
): Promise<ConvertResult> {
  const { folder } = checkpoint;
  const model = describeModel(checkpoint);
  const family = familyOf(model.className, folder);
  const tokenizer = await TokenizerFiles.read(folder, checkpoint.config);
  const layout = family.describe(model, tokenizer);
  const { threads = Math.min(availableParallelism(), 512) } = options;
  const { sources, type: wanted, results } = await readSources(checkpoint, { ...options, threads });
  const tensors = planTensors(folder, layout, sources, { type: wanted, threads });
  const type = results === undefined ? wanted : convertedType(tensors, wanted);
  const parameterCount = countParameters(tensors);
  const metadata = await describeFile(checkpoint, name, layout, type, parameterCount, options);
  const path = output ?? `${basename(name)}-${type}.gguf`;
  const totalBytes = tensors.reduce((sum, { byteSize }) => sum + byteSize, 0);
  await writeWholeFile(
    path,
    {
      overwrite: options.overwrite ?? false,
      inputs: checkpoint.files,
      neededBytes: totalBytes,
      signal: options.signal,
    },
    (temporaryPath) =>
      writeGgufAt(
        temporaryPath,
        {
          metadata: metadata.entries,
          tensors: withProgress(tensors, options.onProgress, () => throwIfAborted(options.signal)),
        },
        options.signal,
      ),
  );
  const { size: sizeBytes } = await stat(path);
  const { architecture } = layout;
  return {
    path,
    sizeBytes,
    architecture,
    type,
    tensorCount: tensors.length,
    parameterCount,
    ...(results === undefined ? {} : { quantizedLayers: results() }),
  };
}

interface Sources {
  readonly sources: readonly SourceTensor[];
  /** Type of what is not in blocks already. */
  readonly type: ConvertType;
  readonly results?: () => readonly GptqLayerResult[];
}

async function readSources(
  checkpoint: Checkpoint,
  { type, requantize, threads }: Pick<ConvertOptions, 'type' | 'requantize'> & { threads: number },
): Promise<Sources> {
  const settings = await readGptqSettings(checkpoint);
  if (settings === undefined) {
    return { sources: checkpointTensors(checkpoint), type: type ?? guessType(checkpoint) };
  }
  const { sources, results } = await gptqTensors(checkpoint, settings, { type, requantize, threads });
  return { sources, results, type: type ?? 'f16' };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal, 'The conversion');
}

/** As llama.cpp's converter has it: the type of the first matrix. */
function guessType(checkpoint: Checkpoint): ConvertType {
  const matrix = checkpointTensors(checkpoint).find(
    ({ shape, type }) => shape.length > 1 && (type === 'BF16' || type === 'F16'),
  );
  return matrix?.type === 'BF16' ? 'bf16' : 'f16';
}

function countParameters(tensors: readonly PlannedTensor[]): number {
  return tensors.reduce(
    (sum, { dimensions }) => sum + dimensions.reduce((product, dimension) => product * dimension, 1),
    0,
  );
}

async function describeFile(
  checkpoint: Checkpoint,
  name: string,
  layout: ModelLayout,
  type: ConvertedType,
  parameterCount: number,
  options: ConvertOptions,
): Promise<MetadataBuilder> {
  const metadata = new MetadataBuilder(layout.architecture);
  await addGeneralMetadata(metadata, checkpoint, name, parameterCount);
  layout.addParameters(metadata);
  metadata.uint32('general.file_type', fileTypes[type]);
  metadata.uint32('general.quantization_version', 2);
  await layout.addVocabulary(metadata, { preTokenizer: options.preTokenizer });
  return metadata;
}
