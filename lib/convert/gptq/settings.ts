import { join } from 'node:path';
import { describeValue } from '../../arguments.js';
import {
  type Checkpoint,
  invalidCheckpoint,
  isJsonObject,
  type JsonObject,
  readJsonFile,
  unsupportedCheckpoint,
} from '../checkpoint/index.js';

/** How a checkpoint says that its linear layers were quantized. */
export interface GptqSettings {
  /** Bits of a weight; single layers may differ where `isDynamic`. */
  readonly bits: 4 | 8;
  /** Weights along the input that share scale and zero; -1 for all. */
  readonly groupSize: number;
  /** Whether weights were quantized in the order of their importance, so that `g_idx` scatters the groups. */
  readonly usesActOrder: boolean;
  /** Whether some layers have settings of their own. */
  readonly isDynamic: boolean;
  readonly zeroFormat: ZeroFormat;
}

/**
 * How zeros are stored: as they are (`gptq_v2`), or minus one (`gptq`). GPTQModel subtracts from whole words of 32
 * bits, so that a borrow changes the neighbour of a zero that is 0; AutoGPTQ subtracts from each zero.
 * Source: `convert_gptq_v1_to_v2_format_module` in gptqmodel/utils/model.py; `dequantize_weight` in AutoGPTQ's
 * qlinear_cuda.py.
 */
export type ZeroFormat = 'plain' | 'minus-one' | 'words-minus-one';

const supported = 'GPTQ checkpoints of 4 and 8 bits in the layouts gptq and gptq_v2';

/**
 * Reads the settings of a GPTQ checkpoint, from config.json or quantize_config.json; undefined if it is not quantized.
 * @throws ConversionError CHECKPOINT_UNSUPPORTED for other ways of quantizing, naming them; CHECKPOINT_INVALID.
 */
export async function readGptqSettings(checkpoint: Checkpoint): Promise<GptqSettings | undefined> {
  const { folder, config } = checkpoint;
  const inConfig = isJsonObject(config.quantization_config) ? config.quantization_config : undefined;
  const isPacked = [...checkpoint.tensors.keys()].some((name) => name.endsWith('.qweight'));
  if (inConfig === undefined && !isPacked) {
    refuseOtherPacking(checkpoint);
    return undefined;
  }
  const beside = await readJsonFile(join(folder, 'quantize_config.json'));
  // The file beside is what AutoGPTQ wrote; config.json may leave out the format of the zeros.
  const values = { ...beside, ...withoutNull(inConfig ?? {}) };
  if (inConfig === undefined && beside === undefined) throw missingSettings(folder);
  refuseOtherMethods(folder, values);
  return readSettings(folder, values);
}

function withoutNull(values: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

function missingSettings(folder: string): Error {
  return invalidCheckpoint(
    folder,
    'it has packed weights (qweight), but neither a quantization_config in config.json nor a file ' +
      'quantize_config.json says how they are packed. Download that file too.',
  );
}

const methodNames: Readonly<Record<string, string>> = {
  awq: 'AWQ',
  bitsandbytes: 'bitsandbytes',
  exl2: 'EXL2',
  exl3: 'EXL3',
  fp8: 'FP8',
  fbgemm_fp8: 'FP8 (FBGEMM)',
  'compressed-tensors': 'compressed-tensors',
  modelopt: 'ModelOpt',
  mxfp4: 'MXFP4',
  hqq: 'HQQ',
  aqlm: 'AQLM',
  quip: 'QuIP#',
  quanto: 'Quanto',
  eetq: 'EETQ',
  torchao: 'TorchAO',
  bitnet: 'BitNet',
  auto_round: 'AutoRound',
  'auto-round': 'AutoRound',
  'intel/auto-round': 'AutoRound',
};

function refuseOtherMethods(folder: string, values: JsonObject): void {
  const method = String(values.quant_method ?? 'gptq').toLowerCase();
  if (method !== 'gptq') throw otherMethod(folder, methodNames[method] ?? method.slice(0, 60));
  const format = String(values.checkpoint_format ?? values.format ?? 'gptq').toLowerCase();
  if (values.is_marlin_format === true || (format !== 'gptq' && format !== 'gptq_v2')) {
    throw otherMethod(
      folder,
      `GPTQ in the layout ${values.is_marlin_format ? 'marlin' : format.slice(0, 60)}`,
    );
  }
}

function otherMethod(folder: string, method: string): Error {
  return unsupportedCheckpoint(
    folder,
    `its weights are quantized with ${method}; ${supported} can be converted, and those that are not quantized. Convert ` +
      'the original model instead, or look for a GGUF file of it.',
    { method },
  );
}

/** Weights that no configuration tells of. */
function refuseOtherPacking({ folder, tensors }: Checkpoint): void {
  for (const { name, type } of tensors.values()) {
    if (name.endsWith('.q_weight') || name.endsWith('.trellis')) throw otherMethod(folder, 'EXL2 or EXL3');
    if (name.includes('.quant_state.')) throw otherMethod(folder, 'bitsandbytes');
    if (type.startsWith('F8_')) throw otherMethod(folder, 'FP8');
  }
}

function readSettings(folder: string, values: JsonObject): GptqSettings {
  const invalid = (name: string, expected: string) =>
    invalidCheckpoint(
      folder,
      `expected ${expected} as ${name} of its quantization, received ${describeValue(values[name])}.`,
      { name },
    );
  const { bits, group_size: groupSize = 128, desc_act: usesActOrder = false } = values;
  if (!Number.isInteger(bits)) throw invalid('bits', '4 or 8');
  if (bits !== 4 && bits !== 8) {
    throw unsupportedCheckpoint(folder, `its weights have ${bits} bits; ${supported} can be converted.`, {
      bits,
    });
  }
  if (!Number.isSafeInteger(groupSize) || (groupSize !== -1 && (groupSize as number) < 1)) {
    throw invalid('group_size', 'a whole number from 1, or -1 for one group');
  }
  if (typeof usesActOrder !== 'boolean') throw invalid('desc_act', 'true or false');
  const isDynamic = isJsonObject(values.dynamic) && Object.keys(values.dynamic).length > 0;
  return { bits, groupSize: groupSize as number, usesActOrder, isDynamic, zeroFormat: zeroFormatOf(values) };
}

function zeroFormatOf(values: JsonObject): ZeroFormat {
  if (String(values.checkpoint_format ?? values.format).toLowerCase() === 'gptq_v2') return 'plain';
  const meta = isJsonObject(values.meta) ? values.meta : {};
  return /gptqmodel/i.test(JSON.stringify(meta.quantizer ?? '')) ? 'words-minus-one' : 'minus-one';
}
