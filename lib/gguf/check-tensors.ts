import { checkPlacement } from './check-placement.js';
import { unsupportedModel } from './invalid-model.js';
import type { GgufHeader, GgufTensorInfo } from './types.js';

/** `TENSOR_ALIGNMENT` in ggml/src/ggml-impl.h: asserted for the buffer that is made of a mapped file. */
const mappedAlignment = 32;

/** Types of intermediate results and of indices: as a weight they have no kernel, which is a crash, not an error. */
const typesOfNoWeight = new Set(['I8', 'I16', 'I32', 'I64', 'F64', 'Q8_1', 'Q8_K']);

/** Lookup tables of token or expert ids, which are whole numbers. Source: `FFN_GATE_TID2EID`, `D2T` in llama-arch.cpp. */
const namesOfIdTables = /(tid2eid|d2t)/;

/**
 * Tensors that are added, multiplied element by element, or scale positions, and the weights of short convolutions: the
 * CPU has kernels for F32 only. Tensors of one dimension are all of that kind.
 */
const namesOfFullPrecision =
  /(norm\w*\.weight|\.bias|rope_(freqs|factors_long|factors_short)\.weight|_mix_lerp_\w+\.weight|ssm_conv1d\w*\.weight|shortconv\.conv\.weight|\.ssm_a)$/;

/**
 * Holds the tensors of a model against the file, and against what llama.cpp computes with. It reads them where they lie
 * in a mapped file (`llama_tensor_weight`): a read past its end would kill the process.
 */
export function checkTensors(header: GgufHeader): void {
  checkPlacement(header);
  for (const tensor of header.tensors) {
    checkType(header, tensor);
    if ((header.dataOffset + tensor.offset) % mappedAlignment !== 0) {
      throw unsupportedModel(
        header.path,
        `the data of tensor '${tensor.name}' does not start at a multiple of ${mappedAlignment} bytes. ` +
          `Write the file again with general.alignment ${mappedAlignment} or more.`,
        { tensor: tensor.name },
      );
    }
  }
}

function checkType(header: GgufHeader, tensor: GgufTensorInfo): void {
  const isIdTable = namesOfIdTables.test(tensor.name);
  const isVector = tensor.dimensions.length === 1 && !isIdTable;
  const isFullPrecision = isVector || namesOfFullPrecision.test(tensor.name);
  if (isFullPrecision && tensor.type !== 'F32') {
    throw unsupportedModel(
      header.path,
      `tensor '${tensor.name}' must have type F32, it has ${tensor.type}.`,
      {
        tensor: tensor.name,
        type: tensor.type,
      },
    );
  }
  if (typesOfNoWeight.has(tensor.type) && !isIdTable) {
    throw unsupportedModel(
      header.path,
      `tensor '${tensor.name}' has type ${tensor.type}, which llama.cpp cannot compute with as a weight.`,
      { tensor: tensor.name, type: tensor.type },
    );
  }
}
