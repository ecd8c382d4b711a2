import { formatBytes } from '../files/format-bytes.js';
import type { AvailableMemory } from './available-memory.js';
import {
  fitsMemory,
  type KnownHeader,
  largestThat,
  type MemoryFit,
  type ModelPlace,
  trainedContextSize,
} from './memory.js';
import { cacheTypesOf, type ListModelFilesOptions, type ModelFile, surveyRepository } from './model-files.js';
import { compareQuality, isFullPrecision } from './quantization.js';
import type { Tuning } from './settings.js';

/** Options of {@link recommend}. */
export interface RecommendOptions extends ListModelFilesOptions {
  /** Tokens of context that must fit at least. Default 8192, or what the model was trained for if that is less. */
  contextSize?: number;
}

/** A model that was considered, and what became of it. */
export interface ConsideredModel extends ModelFile {
  readonly verdict: 'chosen' | 'does-not-fit' | 'lower-quality' | 'no-gain';
  /** For people. */
  readonly reason: string;
}

/** What {@link recommend} advises. */
export interface Recommendation {
  readonly repository: string;
  readonly available: AvailableMemory;
  /** What to load; undefined when nothing fits. */
  readonly choice?: {
    /** What `loadModel` takes. */
    readonly source: string;
    readonly file: string;
    readonly quantization?: string;
    readonly sizeBytes: number;
    /** The largest context that fits beside it, as option of `loadModel`. */
    readonly contextSize: number;
    /** As option of `loadModel`. */
    readonly gpuLayers: number | 'max';
    readonly memory: MemoryFit;
  };
  /** Why, in a sentence or two. */
  readonly reason: string;
  /** All models of the repository, the best first. */
  readonly candidates: readonly ConsideredModel[];
}

const sensibleContextSize = 8192;
const granularity = 256;
const guessedContextSize = 4096;

/**
 * Which quantization of a repository to take on this machine, and with how much context: the best that fits with a
 * context to work with, then the largest context beside it. Graphics cards come first: only what fits none of them is
 * looked for in the memory of the machine. Full precision is taken only where nothing else is, for it takes twice the
 * memory and time of eight bits, and nobody can tell the difference.
 *
 * @param repository `owner/repo` or `hf:owner/repo[@revision]`.
 * @throws as {@link listModelFiles}. That nothing fits is no error: `choice` is undefined.
 */
export async function recommend(repository: string, options: RecommendOptions = {}): Promise<Recommendation> {
  return recommendWith(repository, options);
}

/** {@link recommend} with other times to wait, for tests. */
export async function recommendWith(
  repository: string,
  options: RecommendOptions,
  tuning?: Tuning,
): Promise<Recommendation> {
  const survey = await surveyRepository(repository, options, tuning);
  const { known, available } = survey;
  const trained = (known === undefined ? undefined : trainedContextSize(known)) ?? guessedContextSize;
  const contextSize = options.contextSize ?? Math.min(sensibleContextSize, trained);
  const search = { known, available, contextSize, trained, cacheTypes: cacheTypesOf(options) };
  const files = survey.files.toSorted(compareQuality);
  const chosen = choose(files, search);
  const candidates = files.map((file) => consider(file, chosen?.file, search));
  const base = { repository: survey.repository, available, candidates };
  if (chosen === undefined) return { ...base, reason: whyNothing(survey.files, search) };
  const { source, file, quantization, sizeBytes } = chosen.file;
  const memory = withLargestContext(chosen.file, chosen.fit, search);
  const { gpuLayers } = memory;
  const choice = { source, file, sizeBytes, contextSize: memory.contextSize, gpuLayers, memory };
  return {
    ...base,
    choice: quantization === undefined ? choice : { ...choice, quantization },
    reason: whyThis(quantization ?? file, memory, trained, files.length),
  };
}

interface Search {
  readonly known: KnownHeader | undefined;
  readonly available: AvailableMemory;
  /** The least context. */
  readonly contextSize: number;
  readonly trained: number;
  readonly cacheTypes: ReturnType<typeof cacheTypesOf>;
}

type Candidate = Omit<ModelFile, 'memory'>;

function fitOf(
  file: Candidate,
  search: Search,
  contextSize: number,
  places?: readonly ModelPlace[],
): MemoryFit {
  const { known, available, cacheTypes } = search;
  return fitsMemory(known, file.sizeBytes, available, { contextSize, ...cacheTypes }, places);
}

function choose(
  files: readonly Candidate[],
  search: Search,
): { file: Candidate; fit: MemoryFit } | undefined {
  for (const place of ['gpu', 'both', 'host'] as const) {
    for (const file of files) {
      const found = fitOf(file, search, search.contextSize, [place]);
      if (found.fits) return { file, fit: found };
    }
  }
  return undefined;
}

function withLargestContext(file: Candidate, found: MemoryFit, search: Search): MemoryFit {
  if (search.known === undefined) return found;
  const [least, most] = [search.contextSize, Math.max(search.contextSize, search.trained)];
  const place = [found.place];
  const steps = largestThat(
    (count) => fitOf(file, search, Math.min(most, count * granularity), place).fits,
    Math.floor(least / granularity),
    Math.ceil(most / granularity),
  );
  const contextSize = Math.max(least, Math.min(most, steps * granularity));
  return { ...fitOf(file, search, contextSize, place), contextSize };
}

function consider(file: Candidate, chosen: Candidate | undefined, search: Search): ConsideredModel {
  const memory = fitOf(file, search, search.contextSize);
  const considered = { ...file, memory };
  if (file === chosen) return { ...considered, verdict: 'chosen', reason: 'It is the best that fits.' };
  if (!memory.fits) return { ...considered, verdict: 'does-not-fit', reason: `It ${needs(memory)}.` };
  if (chosen !== undefined && compareQuality(chosen, file) > 0) {
    const reason = `It ${needs(memory)}, so it does not fit where the one chosen is faster.`;
    return { ...considered, verdict: 'does-not-fit', reason };
  }
  return isFullPrecision(file.file)
    ? { ...considered, verdict: 'no-gain', reason: 'Full precision is slower and no better than eight bits.' }
    : { ...considered, verdict: 'lower-quality', reason: 'It fits too, but a better one does.' };
}

function needs({ neededBytes, contextSize, availableBytes }: MemoryFit): string {
  return (
    `needs ${formatBytes(neededBytes)} with a context of ${contextSize} tokens; ` +
    `${formatBytes(availableBytes)} are free`
  );
}

const placeNames = {
  gpu: 'on the GPU',
  both: 'partly on the GPU and partly in memory',
  host: 'in memory',
} as const;

function whyThis(name: string, memory: MemoryFit, trained: number, count: number): string {
  const limit =
    memory.contextSize >= trained
      ? 'all that the model was trained for'
      : 'the largest context that fits beside it';
  const estimate = memory.isFromHeader
    ? ''
    : ' The header of the model could not be read: this is by the size of the file.';
  return (
    `${name} is the best of ${count} that fits ${placeNames[memory.place]}: with ${memory.contextSize} tokens of ` +
    `context, ${limit}, it takes ${formatBytes(memory.neededBytes)} of ${formatBytes(memory.availableBytes)}.${estimate}`
  );
}

function whyNothing(files: readonly Candidate[], search: Search): string {
  const [smallest] = files;
  if (smallest === undefined) return 'There is nothing to choose from.';
  const memory = fitOf(smallest, search, search.contextSize);
  return (
    `Nothing fits: even ${smallest.quantization ?? smallest.file} ${needs(memory)}. ` +
    'Take a smaller model, a smaller context, or close other programs.'
  );
}
