import { createError, type LlamaNativeError } from '../errors.js';
import { tensorTypeByName } from '../gguf/tensor-types.js';
import type { ImportanceMatrix } from './imatrix.js';
import type { QuantizationType } from './quantization-types.js';
import type { SourceModel } from './source-model.js';
import type { QuantizedTensor, QuantizeOptions } from './types.js';

const unquantized = new Set(['F32', 'F16', 'BF16']);

/** `ggml_quantize_requires_imatrix` in ggml/src/ggml.c: asserted. */
const assertedWithImatrix = new Set(['IQ2_XXS', 'IQ2_XS', 'IQ1_S']);

/** `tensor_requires_imatrix` in src/llama-quant.cpp. */
const refusedWithoutImatrix = new Set([...assertedWithImatrix, 'IQ3_XXS', 'IQ2_S', 'IQ1_M']);

const embeddings = new Set(['token_embd.weight', 'per_layer_token_embd.weight']);

function refuse(name: string, message: string, details: object = {}): LlamaNativeError {
  return createError('INVALID_ARGUMENT', message, { details: { name, ...details } });
}

/**
 * Types that are asked for by name are not held against the length of rows in llama.cpp (`llama_tensor_get_type`), which
 * then computes with blocks that do not end where a row does.
 * @throws InvalidArgumentError naming the option.
 */
export function checkNamedTypes({ tensors }: SourceModel, options: QuantizeOptions): void {
  const check = (option: 'outputTensorType' | 'tokenEmbeddingType', names: Iterable<string>) => {
    const type = tensorTypeByName(options[option] ?? '');
    if (type === undefined) return;
    for (const name of names) {
      const [rowLength = 1] = tensors.get(name)?.dimensions ?? [0];
      if (rowLength % type.blockSize === 0) continue;
      throw refuse(
        option,
        `${name} has rows of ${rowLength} weights, which do not divide into the ${type.blockSize} of a block of ` +
          `${type.name}. Choose another type for ${option}, such as Q8_0 or F16.`,
        { tensor: name },
      );
    }
  };
  check('outputTensorType', ['output.weight', 'token_embd.weight', 'per_layer_token_embd.weight']);
  check('tokenEmbeddingType', embeddings);
}

/**
 * Refuses before anything is written what llama.cpp refuses in the middle, or would not survive.
 * @throws InvalidArgumentError with what to change.
 */
export function checkPlan(
  tensors: readonly QuantizedTensor[],
  type: QuantizationType,
  options: QuantizeOptions,
  imatrix: ImportanceMatrix | undefined,
  names: ReadonlyMap<string, string>,
): void {
  for (const tensor of tensors) {
    if (tensor.type === tensor.sourceType) continue;
    const { name, sourceType } = tensor;
    if (!unquantized.has(sourceType) && options.allowRequantize !== true) {
      throw refuse(
        'allowRequantize',
        `The model is quantized already: ${name} has the type ${sourceType}. Take the original in 16 or 32 bits; or set ` +
          'allowRequantize, which loses more than quantizing from there.',
        { tensor: name, sourceType },
      );
    }
    if ((tensor.dimensions[3] ?? 1) > 1) {
      const message = `${name} has four dimensions, and llama.cpp quantizes up to three. Keep its type with tensorTypes.`;
      throw createError('QUANTIZATION_FAILED', message, { details: { tensor: name } });
    }
    checkImportance(tensor, type, imatrix, names);
  }
}

/** Whether llama.cpp cannot, or will not, make a tensor of this type without knowing what matters in it. */
export function needsImportance(tensor: QuantizedTensor, type: QuantizationType): boolean {
  if (tensor.type === tensor.sourceType) return false;
  if (assertedWithImatrix.has(tensor.type)) return true;
  if (isEnd(tensor.name)) return false;
  return refusedWithoutImatrix.has(tensor.type) || (tensor.type === 'Q2_K' && type.name === 'Q2_K_S');
}

function isEnd(name: string): boolean {
  return embeddings.has(name) || name === 'output.weight';
}

function checkImportance(
  tensor: QuantizedTensor,
  type: QuantizationType,
  imatrix: ImportanceMatrix | undefined,
  names: ReadonlyMap<string, string>,
): void {
  const { name } = tensor;
  if (!needsImportance(tensor, type) || imatrix?.entries.has(names.get(name) ?? name)) return;
  const lack =
    imatrix === undefined
      ? 'needs an importance matrix. Name one in the option imatrix'
      : `needs numbers of the importance matrix, and ${imatrix.path} has none for it. Take another matrix`;
  const option = name === 'output.weight' ? 'outputTensorType' : 'tokenEmbeddingType';
  const remedy = isEnd(name) ? `, or choose another type for it with ${option}` : ', or take another type';
  throw refuse('imatrix', `${name} would become ${tensor.type}, which ${lack}${remedy}.`, {
    tensor: name,
    type: tensor.type,
  });
}
