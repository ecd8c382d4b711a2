import { createError } from '../errors.js';
import { uint32Value } from '../gguf/header-values.js';
import type { SourceModel } from './source-model.js';

/** `remap_layer` in src/llama-quant.cpp looks for it anywhere in a name. */
const block = /blk\.(\d+)\./;

/**
 * The names that tensors have in the output, with those of the input, when layers are left out: the layers behind move
 * up.
 *
 * @throws InvalidArgumentError for layers that the model does not have, for all of them, and where metadata is given
 * for each layer, which llama.cpp does not shorten: the result could not be loaded.
 */
export function namesAfterPruning(model: SourceModel, pruned: readonly number[]): Map<string, string> {
  const names = [...model.tensors.keys()];
  if (pruned.length === 0) return new Map(names.map((name) => [name, name]));
  const layers = [...new Set(names.flatMap((name) => layerOf(name) ?? []))].sort((a, b) => a - b);
  checkLayers(model, pruned, layers);
  const kept = layers.filter((layer) => !pruned.includes(layer));
  const renamed = new Map<string, string>();
  for (const name of names) {
    const layer = layerOf(name);
    if (layer === undefined) renamed.set(name, name);
    else if (kept.includes(layer)) renamed.set(name.replace(block, `blk.${kept.indexOf(layer)}.`), name);
  }
  return renamed;
}

function layerOf(name: string): number | undefined {
  const digits = block.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function checkLayers(
  { header, tensors }: SourceModel,
  pruned: readonly number[],
  layers: readonly number[],
): void {
  const refuse = (message: string) =>
    createError('INVALID_ARGUMENT', message, { details: { name: 'pruneLayers' } });
  const isCounted = layers.every((layer, index) => layer === index);
  const isPlain = [...tensors.keys()].every((name) => !/blk\.0\d/.test(name) && !/blk\..*blk\./.test(name));
  if (!isCounted || !isPlain)
    throw refuse(
      'The layers of this model are not numbered one after the other, so none of them can be pruned.',
    );
  const missing = pruned.find((layer) => !layers.includes(layer));
  if (missing !== undefined)
    throw refuse(`Expected layers from 0 to ${layers.length - 1} for pruneLayers; received ${missing}.`);
  if (layers.every((layer) => pruned.includes(layer)))
    throw refuse('Expected pruneLayers to leave some layers of the model; received all of them.');
  const architecture = header.metadata.get('general.architecture')?.value;
  const blockCount = uint32Value(header, `${architecture}.block_count`);
  for (const [key, entry] of header.metadata) {
    if (entry.type !== 'array' || !key.startsWith(`${architecture}.`) || entry.value.length !== blockCount)
      continue;
    throw refuse(
      `The layers of this model differ (${key} has a value for each), and llama.cpp cannot leave some of these out, so ` +
        'pruneLayers cannot be used with it.',
    );
  }
}
