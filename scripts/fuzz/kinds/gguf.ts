/** Model files: headers of small models of several architectures and tokenizers, mutated. */
import { HeaderParser } from '../../../lib/gguf/parse-header.js';
import type { IsolatedEngine } from '../../../lib/isolate/index.js';
import { loadModelInto } from '../../../lib/model/load-model.js';
import { findHeaderFields } from '../../../test/helpers/gguf-fields.js';
import { MutatedFile } from '../../../test/helpers/gguf-mutated-file.js';
import { type Mutation, mutateAtRandom } from '../../../test/helpers/gguf-mutations.js';
import { Random } from '../../../test/helpers/gguf-random.js';
import { type MutationSeed, readSeed } from '../../../test/helpers/gguf-seeds.js';
import { type JsonObject, packBytes, unpackBytes } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { shapes, vendoredVocabulary, writeShape } from '../models.js';
import type { Workplace } from '../workplace.js';

/** Vocabularies of other tokenizers than that of bytes, for the first of the shapes. */
const vocabularies = ['llama-spm', 'llama-bpe', 'bert-bge', 'nomic-bert-moe', 'gemma-4', 'phi-3'];
const vocabularySize = 500;

/** What stands where the weights are: numbers that are no worse as weights than others. */
const weightBytes = 1 << 20;
const text = 'Hello, wörld \n\n 123 <|im_end|> 你好';

async function readSeeds(workplace: Workplace): Promise<MutationSeed[]> {
  const seeds: MutationSeed[] = [];
  for (const shape of Object.keys(shapes))
    seeds.push(await readSeed(shape, await writeShape(workplace, shape)));
  for (const name of vocabularies) {
    const vocabulary = await vendoredVocabulary(name, vocabularySize);
    seeds.push(await readSeed(name, await writeShape(workplace, 'llama', { name, vocabulary })));
  }
  return seeds;
}

/** What a mutation made, to be mutated once more; undefined where it is no header any more. */
function seedOf({ header, fileSize }: Mutation): MutationSeed | undefined {
  if (fileSize > weightBytes || fileSize < header.length) return undefined;
  try {
    const bytes = Buffer.concat([header], fileSize);
    const parsed = new HeaderParser('mutated.gguf', fileSize, { bytes }).advance();
    // A header is padded to the alignment, which may be gigabytes.
    if (typeof parsed === 'number' || parsed.alignment > 4096) return undefined;
    return { name: 'mutated', bytes, header: parsed, fields: findHeaderFields(bytes) };
  } catch {
    return undefined;
  }
}

/** Weights that do not depend on the seed, so that a header alone is a case. */
async function createFile(path: string): Promise<MutatedFile> {
  const random = new Random(5);
  const values = Float32Array.from({ length: weightBytes / 4 }, () => (random.next() - 0.5) / 4);
  const bytes = Buffer.from(values.buffer);
  const header = { path, metadata: new Map(), tensors: [] } as unknown as MutationSeed['header'];
  return MutatedFile.create(path, { name: 'weights', bytes, header, fields: [] });
}

class GgufKind implements PreparedKind {
  readonly #engine: IsolatedEngine;
  readonly #seeds: readonly MutationSeed[];
  readonly #file: MutatedFile;
  readonly #closeEngine: () => Promise<void>;

  constructor(engine: IsolatedEngine, seeds: readonly MutationSeed[], file: MutatedFile) {
    // One process for all files, which models neither close nor listen to.
    this.#engine = { ...engine, listenToCrashes: () => {}, close: async () => {} };
    this.#closeEngine = engine.close;
    this.#seeds = seeds;
    this.#file = file;
  }

  make(random: Random): JsonObject {
    const seed = random.pick(this.#seeds);
    let mutation = mutateAtRandom(seed, random);
    let name = `${seed.name}: ${mutation.name}`;
    for (let more = random.pick([0, 0, 1, 2]); more > 0; more--) {
      const next = seedOf(mutation);
      if (next === undefined) break;
      mutation = mutateAtRandom(next, random);
      name += `; ${mutation.name}`;
    }
    return { mutation: name, fileSize: mutation.fileSize, header: packBytes(mutation.header) };
  }

  async run({ header, fileSize }: JsonObject): Promise<void> {
    const bytes = unpackBytes(header);
    await this.#file.apply({ name: '', header: bytes, fileSize: Number(fileSize) });
    const sizes = { contextSize: 64, batchSize: 32, threads: 1 };
    const model = await loadModelInto(async () => this.#engine, this.#file.path, sizes);
    try {
      const tokens = await model.tokenize(text, { addSpecial: true, parseSpecial: true });
      await model.detokenize(tokens, { renderSpecial: true });
      await model.generate('Hello', { maxTokens: 3, seed: 1 }).result;
    } finally {
      await model.close();
    }
  }

  async close(): Promise<void> {
    await this.#closeEngine();
    await this.#file.close();
  }
}

export const ggufKind: FuzzKind = {
  name: 'gguf',
  async prepare(workplace) {
    const file = await createFile(workplace.path('mutated.gguf'));
    const engine = await workplace.startEngine();
    return new GgufKind(engine, await readSeeds(workplace), file);
  },
};
