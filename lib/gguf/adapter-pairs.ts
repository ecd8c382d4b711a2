import { invalidAdapter } from './adapter-errors.js';
import type { GgufHeader, GgufTensorInfo } from './types.js';

/** What an adapter adds to one tensor of the model: the product B·A of two thin matrices. */
export interface AdapterPair {
  /** Name of the model's tensor. */
  readonly name: string;
  readonly a: GgufTensorInfo;
  readonly b: GgufTensorInfo;
}

const suffixes = { a: '.lora_a', b: '.lora_b' } as const;

/** Whole vectors of normalizations, which llama.cpp passes over. */
const ignoredName = /_norm\.weight$/;

/**
 * The tensors of an adapter by the tensors they change.
 * @throws ModelLoadError MODEL_INVALID if one is alone or has another kind of name, or if there are none.
 */
export function collectPairs(header: GgufHeader): AdapterPair[] {
  const halves = new Map<string, { a?: GgufTensorInfo; b?: GgufTensorInfo }>();
  for (const tensor of header.tensors) {
    const side = tensor.name.endsWith(suffixes.a) ? 'a' : tensor.name.endsWith(suffixes.b) ? 'b' : undefined;
    if (side === undefined) {
      if (ignoredName.test(tensor.name)) continue;
      throw invalidAdapter(
        header.path,
        `expected tensors whose names end in ${suffixes.a} or ${suffixes.b}; received '${tensor.name}'. ` +
          "Convert the adapter with llama.cpp's convert_lora_to_gguf.py.",
        { tensor: tensor.name },
      );
    }
    const name = tensor.name.slice(0, -suffixes[side].length);
    halves.set(name, { ...halves.get(name), [side]: tensor });
  }
  if (halves.size === 0)
    throw invalidAdapter(header.path, 'it changes no tensor. Convert the adapter again.');
  return [...halves].map(([name, { a, b }]) => {
    if (a !== undefined && b !== undefined) return { name, a, b };
    const missing = `${name}${a === undefined ? suffixes.a : suffixes.b}`;
    throw invalidAdapter(header.path, `the tensor '${missing}' is missing. Convert the adapter again.`, {
      tensor: missing,
    });
  });
}
