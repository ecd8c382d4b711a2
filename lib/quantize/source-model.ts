import { checkModelFile, type GgufHeader, type GgufTensorInfo, readGgufHeader } from '../gguf/index.js';
import { invalidModel } from '../gguf/invalid-model.js';
import { splitCount, splitPath } from '../gguf/splits.js';

/** The model that is read: checked, and safe to hand to llama.cpp. */
export interface SourceModel {
  /** Header of the first file. */
  readonly header: GgufHeader;
  /** Headers of all files. */
  readonly files: readonly GgufHeader[];
  /** Tensors of all files, by name. */
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
}

/**
 * Reads and checks a model as it is done before loading, and what only a quantization stumbles over.
 * @throws what {@link checkModelFile} throws.
 */
export async function openSourceModel(path: string, signal: AbortSignal | undefined): Promise<SourceModel> {
  const options = signal === undefined ? {} : { signal };
  const header = await checkModelFile(path, options);
  const files = [header];
  const count = splitCount(header);
  for (let index = 1; index < count; index++) {
    const other = splitPath(header.path, index, count);
    if (other !== undefined) files.push(await readGgufHeader(other, options));
  }
  const tensors = new Map<string, GgufTensorInfo>();
  for (const file of files) {
    for (const tensor of file.tensors) {
      checkTensor(file, tensor);
      if (tensors.has(tensor.name))
        throw invalidModel(file.path, `the tensor '${tensor.name}' is in two of the model's files.`);
      tensors.set(tensor.name, tensor);
    }
  }
  if (tensors.size === 0) throw invalidModel(path, 'it has no tensors, only a vocabulary or metadata.');
  return { header, files, tensors };
}

/** llama.cpp divides by the length of a row, and its log, which tells the types, is made of lines. */
function checkTensor({ path }: GgufHeader, { name, dimensions }: GgufTensorInfo): void {
  if (dimensions.includes(0)) throw invalidModel(path, `the tensor '${name}' has no elements.`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name))
    throw invalidModel(path, `a tensor's name has control characters: ${JSON.stringify(name)}.`);
}
