import { invalidModel } from './invalid-model.js';
import type { GgufHeader } from './types.js';

/**
 * Holds the place of every tensor against the file. llama.cpp wants them one after the other, each padded to the
 * alignment (`gguf_init_from_reader`), and inside the file.
 */
export function checkPlacement(header: GgufHeader): void {
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
    expected = Math.ceil((tensor.offset + tensor.byteSize) / header.alignment) * header.alignment;
    const end = header.dataOffset + tensor.offset + tensor.byteSize;
    if (end > header.fileSize) {
      throw truncated(header);
    }
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
