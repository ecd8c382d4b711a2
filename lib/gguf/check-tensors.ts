import { invalidModel, unsupportedModel } from './invalid-model.js';
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
 * Holds the place of every tensor against the file. llama.cpp wants them one after the other, each padded to the
 * alignment (`gguf_init_from_reader`), and inside the file (`llama_tensor_weight`): with a mapped file, a read past
 * its end would kill the process.
 */
export function checkTensors(header: GgufHeader): void {
  let expected = 0;
  for (const tensor of header.tensors) {
    if (tensor.offset !== expected) {
      throw invalidModel(
        header.path,
        `the data of tensor '${tensor.name}' should start at ${expected}, the header says ${tensor.offset}. ` +
          'The file is damaged; download it again.',
        { tensor: tensor.name },
      );
    }
    checkType(header, tensor);
    if ((header.dataOffset + tensor.offset) % mappedAlignment !== 0) {
      throw unsupportedModel(
        header.path,
        `the data of tensor '${tensor.name}' does not start at a multiple of ${mappedAlignment} bytes. ` +
          `Write the file again with general.alignment ${mappedAlignment} or more.`,
        { tensor: tensor.name },
      );
    }
    expected = Math.ceil((tensor.offset + tensor.byteSize) / header.alignment) * header.alignment;
    const end = header.dataOffset + tensor.offset + tensor.byteSize;
    if (end > header.fileSize) {
      throw truncated(header);
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

/** Says how long the file would have to be, which is what someone with half a download wants to know. */
function truncated(header: GgufHeader): Error {
  const needed = header.tensors.reduce(
    (end, tensor) => Math.max(end, header.dataOffset + tensor.offset + tensor.byteSize),
    0,
  );
  return invalidModel(
    header.path,
    `it is truncated: its tensors need ${needed} bytes, the file has ${header.fileSize}. Download it again.`,
    { neededBytes: needed, fileSize: header.fileSize },
  );
}
