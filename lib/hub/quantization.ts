/** The parts of a repository entry that matter for choosing a file. */
export interface Candidate {
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Which quantization is taken when none is named: four bits first, in the order of quality for their size, then
 * upwards in size, then what is below four bits, then full precision. `Q4_K_M` is what most repositories recommend.
 */
export const quantizationPreference: readonly string[] = [
  ...[
    'Q4_K_M',
    'Q4_K_XL',
    'Q4_K_S',
    'Q4_K_L',
    'IQ4_XS',
    'IQ4_NL',
    'Q4_K',
    'Q4_1',
    'Q4_0',
    'MXFP4',
    'MXFP4_MOE',
  ],
  ...['Q5_K_M', 'Q5_K_S', 'Q5_K_XL', 'Q5_K_L', 'Q5_K', 'Q5_1', 'Q5_0', 'Q6_K', 'Q6_K_L', 'Q6_K_XL'],
  ...[
    'Q8_0',
    'Q8_K_XL',
    'Q3_K_L',
    'Q3_K_XL',
    'Q3_K_M',
    'IQ3_M',
    'IQ3_S',
    'Q3_K_S',
    'Q3_K',
    'IQ3_XS',
    'IQ3_XXS',
  ],
  ...['BF16', 'F16', 'FP16', 'Q2_K_L', 'Q2_K_XL', 'Q2_K', 'Q2_K_S', 'IQ2_M', 'IQ2_S', 'IQ2_XS', 'IQ2_XXS'],
  ...['TQ2_0', 'TQ1_0', 'IQ1_M', 'IQ1_S', 'F32', 'FP32'],
];

const labelPattern =
  /(?:^|[-_./])((?:I?Q[1-8](?:_[0-9KMSLX]+)*|IQ4_NL|BF16|F16|F32|FP16|FP32|MXFP4(?:_MOE)?|TQ[12]_0))(?=$|[-./])/gi;
const splitPattern = /-(\d{5})-of-(\d{5})\.gguf$/i;

/** The quantization that a file's name tells, in capitals, or undefined. */
export function quantizationOf(path: string): string | undefined {
  const stem = path.replace(splitPattern, '').replace(/\.gguf$/i, '');
  return [...stem.matchAll(labelPattern)].at(-1)?.[1]?.toUpperCase();
}

/** True for a GGUF file that is a language model by its name: projectors and importance matrices are not. */
export function isModelFile(path: string): boolean {
  return /\.gguf$/i.test(path) && !/(^|[-_./])(mmproj|imatrix)([-_./]|$)/i.test(path);
}

/** The place of a file among the parts of a split model, counted from 1, or undefined for a whole file. */
export function splitOf(path: string): { index: number; count: number } | undefined {
  const match = splitPattern.exec(path);
  return match ? { index: Number(match[1]), count: Number(match[2]) } : undefined;
}

/** All parts of a split model, the first one first; for a whole file, just that file. */
export function partsOf(path: string): string[] {
  const split = splitOf(path);
  if (split === undefined) return [path];
  const stem = path.replace(splitPattern, '');
  const count = String(split.count).padStart(5, '0');
  const part = (index: number) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${count}.gguf`;
  return Array.from({ length: split.count }, (_, index) => part(index));
}

/** What is wanted of a repository; with neither, the preferred quantization. */
export interface Wanted {
  readonly file?: string;
  readonly quantization?: string;
}

/**
 * The path of the wanted model file: for a split model, its first part. Of several files with one quantization it is
 * the one nearest to the root, then the one with the shortest name, then the first in the alphabet.
 *
 * @returns undefined when there is none.
 */
export function chooseFile(candidates: readonly Candidate[], wanted: Wanted): string | undefined {
  if (wanted.file !== undefined) return chooseNamed(candidates, wanted.file);
  const models = candidates
    .map((candidate) => candidate.path)
    .filter((path) => isModelFile(path) && (splitOf(path)?.index ?? 1) === 1)
    .sort(byPlainness);
  const { quantization } = wanted;
  if (quantization !== undefined) return models.find((path) => hasQuantization(path, quantization));
  return models.sort((left, right) => rank(left) - rank(right) || byPlainness(left, right))[0];
}

function chooseNamed(candidates: readonly Candidate[], file: string): string | undefined {
  const first = partsOf(file)[0] ?? file;
  return candidates.find((candidate) => candidate.path === first)?.path;
}

function byPlainness(left: string, right: string): number {
  const depth = (path: string) => path.split('/').length;
  return depth(left) - depth(right) || left.length - right.length || (left < right ? -1 : 1);
}

function rank(path: string): number {
  const place = quantizationPreference.indexOf(quantizationOf(path) ?? '');
  return place === -1 ? quantizationPreference.length : place;
}

/** By the label; or by any part of the name between delimiters, for labels that no list knows. */
export function hasQuantization(path: string, quantization: string): boolean {
  const wanted = quantization.toUpperCase();
  if (quantizationOf(path) === wanted) return true;
  const name = `/${path.replace(splitPattern, '').replace(/\.gguf$/i, '')}/`.toUpperCase();
  let from = name.indexOf(wanted);
  while (from !== -1) {
    if (/[-_./]/.test(name.charAt(from - 1)) && /[-./]/.test(name.charAt(from + wanted.length))) return true;
    from = name.indexOf(wanted, from + 1);
  }
  return false;
}

/** True when this is what would be chosen from any repository, so that no list of its files is needed to know. */
export function isFirstPreference(path: string): boolean {
  return rank(path) === 0;
}

/** True for weights that were not quantized. */
export function isFullPrecision(path: string): boolean {
  return /^(BF16|F16|F32|FP16|FP32)$/.test(quantizationOf(path) ?? '');
}

/** Orders files of one model by quality: more bits first, but full precision last, since it costs much for nothing. */
export function compareQuality(
  left: { readonly file: string; readonly sizeBytes: number },
  right: { readonly file: string; readonly sizeBytes: number },
): number {
  const precision = Number(isFullPrecision(left.file)) - Number(isFullPrecision(right.file));
  const size = right.sizeBytes - left.sizeBytes;
  return precision || (isFullPrecision(left.file) ? -size : size) || rank(left.file) - rank(right.file);
}
