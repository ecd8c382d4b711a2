import { partsOf } from './quantization.js';

/** Names at the top of a repository that a conversion reads: settings, tokenizer, chat template, pooling. */
const descriptions = [
  /^(config|generation_config|quantize_config|quant_config|params|modules|config_sentence_transformers)\.json$/,
  /^(preprocessor_config|processor_config|video_preprocessor_config)\.json$/,
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|tekken)\.json$/,
  /^(vocab|merges)\.txt$/,
  /^(tokenizer|spiece|sentencepiece|sentencepiece\.bpe)\.model$/,
  /\.tiktoken$/,
  /^chat_template\.\w+$/,
  /^additional_chat_templates\/[^/]+\.jinja$/,
  /^\d+_[A-Za-z]+\/config\.json$/,
];

const weightsPattern = /^[^/]+\.safetensors$/;
const indexPattern = /^[^/]+\.safetensors\.index\.json$/;

/** Weights a second time, in the layout of their maker; or what only goes with another model. */
const otherWeights = /^(consolidated|adapter_model|training_args|optimizer)\b/;

/** The files beside the weights that belong to a checkpoint, out of all paths of a repository. */
export function descriptionsOf(paths: readonly string[]): string[] {
  return paths.filter((path) => descriptions.some((pattern) => pattern.test(path)));
}

/** The file that tells which weights are in which file; undefined when there is just one file of weights. */
export function indexOf(paths: readonly string[]): string | undefined {
  const indexes = paths.filter((path) => indexPattern.test(path) && !otherWeights.test(path)).sort();
  return indexes.find((path) => path === 'model.safetensors.index.json') ?? indexes[0];
}

/** The weights where no index names them: `model.safetensors`, else what is there, in the maker's layout at worst. */
export function weightsWithoutIndex(paths: readonly string[]): string[] {
  const all = paths.filter((path) => weightsPattern.test(path)).sort();
  if (all.includes('model.safetensors')) return ['model.safetensors'];
  const usual = all.filter((path) => !otherWeights.test(path));
  return usual.length > 0 ? usual : all.filter((path) => path.startsWith('consolidated'));
}

/** The files that an index names, in order; undefined for text that is no index. */
export function weightsOfIndex(text: string): string[] | undefined {
  try {
    const value = JSON.parse(text) as { weight_map?: unknown };
    if (typeof value.weight_map !== 'object' || value.weight_map === null) return undefined;
    const names: unknown[] = Object.values(value.weight_map);
    if (!names.every((name) => typeof name === 'string' && weightsPattern.test(name))) return undefined;
    return [...new Set(names as string[])].sort();
  } catch {
    return undefined;
  }
}

/** What a repository without safetensors has instead, for the error about it. */
export function describeOtherWeights(repository: string, paths: readonly string[]): string {
  const gguf = paths.find((path) => /\.gguf$/i.test(path) && partsOf(path)[0] === path);
  if (gguf !== undefined) return `It has GGUF files: load hf:${repository} itself, without converting.`;
  if (paths.some((path) => /\.(bin|pth|pt)$/i.test(path)))
    return 'It has weights in Python pickles only, which may hold code and are not read; look for a conversion to safetensors.';
  return `It has: ${paths.slice(0, 20).join(', ') || 'nothing at all'}.`;
}
