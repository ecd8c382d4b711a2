/** Quantizations: mutated headers of small models over tame and wild weights, to every type. */
import { rm } from 'node:fs/promises';
import { writeGguf } from '../../../lib/gguf/write.js';
import type { IsolatedEngine } from '../../../lib/isolate/index.js';
import { quantizationTypes, tensorTypeNames } from '../../../lib/quantize/quantization-types.js';
import { quantizeInto } from '../../../lib/quantize/quantize.js';
import type { QuantizeOptions } from '../../../lib/quantize/types.js';
import { MutatedFile } from '../../../test/helpers/gguf-mutated-file.js';
import { mutateAtRandom } from '../../../test/helpers/gguf-mutations.js';
import { Random } from '../../../test/helpers/gguf-random.js';
import { type MutationSeed, readSeed } from '../../../test/helpers/gguf-seeds.js';
import {
  inventImportance,
  quantizableMetadata,
  quantizableTensors,
  writeImatrix,
} from '../../../test/helpers/quantize-models.js';
import { byteVocabulary } from '../../../test/helpers/tiny-generator.js';
import { type JsonObject, packBytes, unpackBytes } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { shapes, writeShape } from '../models.js';
import type { Workplace } from '../workplace.js';

const weightBytes = 1 << 20;

/** What stands where the weights are. */
const weights: Readonly<Record<string, (random: Random) => number>> = {
  tame: (random) => (random.next() - 0.5) / 4,
  zero: () => 0,
  huge: (random) => (random.next() - 0.5) * 6e38,
  mixed: (random) => (random.next() - 0.5) * 10 ** Math.floor(76 * random.next() - 38),
  notNumbers: (random) => (random.next() < 0.01 ? Number.NaN : 1),
};

async function readSeeds(workplace: Workplace): Promise<MutationSeed[]> {
  const path = workplace.path('quantizable.gguf');
  await writeGguf(path, {
    metadata: { ...quantizableMetadata(2), ...byteVocabulary() },
    tensors: quantizableTensors(2, 8),
  });
  const own = await readSeed('quantizable', path);
  const others: MutationSeed[] = [];
  for (const shape of Object.keys(shapes))
    others.push(await readSeed(shape, await writeShape(workplace, shape)));
  return [...others, own, own, own, own, own, own];
}

async function createFile(path: string, next: (random: Random) => number): Promise<MutatedFile> {
  const random = new Random(5);
  const values = Float32Array.from({ length: weightBytes / 4 }, () => next(random));
  const bytes = Buffer.from(values.buffer);
  const header = { path, metadata: new Map(), tensors: [] } as unknown as MutationSeed['header'];
  return MutatedFile.create(path, { name: 'weights', bytes, header, fields: [] });
}

/** Options at random; most of them stay away. */
function makeOptions(random: Random): JsonObject {
  const seldom = (value: () => unknown) => (random.next() < 0.15 ? value() : undefined);
  const tensorType = () => random.pick(tensorTypeNames);
  const options = {
    type: random.pick(quantizationTypes).name,
    allowRequantize: random.next() < 0.7 ? true : undefined,
    pure: seldom(() => true),
    leaveOutputTensor: seldom(() => true),
    outputTensorType: seldom(tensorType),
    tokenEmbeddingType: seldom(tensorType),
    tensorTypes: seldom(() => ({ [random.pick(['attn', 'ffn', '.', 'token'])]: tensorType() })),
    pruneLayers: seldom(() => [random.pick([0, 1, 2, 511])]),
    threads: random.pick([1, 2, 3]),
    keepSplit: seldom(() => true),
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as JsonObject;
}

/** The tables of small types take seconds to make, once in a process: no input should be blamed for that. */
async function makeTables(
  engine: IsolatedEngine,
  model: string,
  output: string,
  imatrix: string,
): Promise<void> {
  const small = {
    attn_q: 'IQ2_XS',
    attn_k: 'IQ2_S',
    attn_v: 'IQ3_XXS',
    ffn_gate: 'IQ1_S',
    ffn_up: 'IQ1_M',
  } as const;
  const tensorTypes = { ...small, attn_output: 'IQ3_S' } as const;
  const stayingEngine = { ...engine, close: async () => {} };
  const options = { type: 'IQ2_XXS', imatrix, tensorTypes, overwrite: true } as const;
  await quantizeInto(async () => stayingEngine, model, output, options);
}

class QuantizeKind implements PreparedKind {
  readonly #engine: IsolatedEngine;
  readonly #seeds: readonly MutationSeed[];
  readonly #files: ReadonlyMap<string, MutatedFile>;
  readonly #imatrix: string;
  readonly #output: string;
  readonly #closeEngine: () => Promise<void>;

  constructor(
    engine: IsolatedEngine,
    seeds: readonly MutationSeed[],
    files: ReadonlyMap<string, MutatedFile>,
    imatrix: string,
    output: string,
  ) {
    this.#engine = { ...engine, listenToCrashes: () => {}, close: async () => {} };
    this.#closeEngine = engine.close;
    this.#seeds = seeds;
    this.#files = files;
    this.#imatrix = imatrix;
    this.#output = output;
  }

  make(random: Random): JsonObject {
    const seed = random.pick(this.#seeds);
    const isWhole = random.next() < 0.3;
    const { header, fileSize, name } = isWhole
      ? { header: seed.bytes.subarray(0, seed.header.dataOffset), fileSize: weightBytes, name: 'as it is' }
      : mutateAtRandom(seed, random);
    return {
      mutation: `${seed.name}: ${name}`,
      weights: random.pick(Object.keys(weights)),
      options: makeOptions(random),
      imatrix: random.next() < 0.6,
      fileSize: Math.min(fileSize, weightBytes),
      header: packBytes(header),
    };
  }

  async run({ header, fileSize, weights: kind, options, imatrix }: JsonObject): Promise<void> {
    const file = this.#files.get(String(kind));
    if (file === undefined) throw new Error(`No weights of the kind ${kind}`);
    await file.apply({ name: '', header: unpackBytes(header), fileSize: Number(fileSize) });
    const all = {
      ...(options as object),
      overwrite: true,
      ...(imatrix === true ? { imatrix: this.#imatrix } : {}),
    } as QuantizeOptions;
    try {
      await quantizeInto(async () => this.#engine, file.path, this.#output, all);
    } finally {
      await rm(this.#output, { force: true });
    }
  }

  async close(): Promise<void> {
    await this.#closeEngine();
    for (const file of this.#files.values()) await file.close();
  }
}

export const quantizeKind: FuzzKind = {
  name: 'quantize',
  async prepare(workplace) {
    const engine = await workplace.startEngine();
    const seeds = await readSeeds(workplace);
    const files = new Map<string, MutatedFile>();
    for (const [kind, next] of Object.entries(weights))
      files.set(kind, await createFile(workplace.path(`weights-${kind}.gguf`), next));
    const imatrix = await writeImatrix(workplace.path('quantize-imatrix.gguf'), inventImportance(2));
    const output = workplace.path('quantized.gguf');
    await makeTables(engine, workplace.path('quantizable.gguf'), output, imatrix);
    return new QuantizeKind(engine, seeds, files, imatrix, output);
  },
};
