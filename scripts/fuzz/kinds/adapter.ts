/** LoRA adapters: headers of an adapter to a small model, mutated, with what models of other kinds would bring. */
import { readGgufHeader } from '../../../lib/gguf/read-header.js';
import type { IsolatedEngine } from '../../../lib/isolate/index.js';
import { loadModelInto } from '../../../lib/model/load-model.js';
import { randomChanges, writeAdapter } from '../../../test/helpers/adapter-files.js';
import { mutateAdapter } from '../../../test/helpers/adapter-mutations.js';
import { MutatedFile } from '../../../test/helpers/gguf-mutated-file.js';
import type { Random } from '../../../test/helpers/gguf-random.js';
import { type MutationSeed, readSeed } from '../../../test/helpers/gguf-seeds.js';
import { writeTinyGenerator } from '../../../test/helpers/tiny-generator.js';
import { type JsonObject, packBytes, unpackBytes } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';

const targets = /(attn_q|ffn_up|ffn_down|token_embd|^output)\.weight$/;

class AdapterKind implements PreparedKind {
  readonly #engine: IsolatedEngine;
  readonly #closeEngine: () => Promise<void>;
  readonly #modelPath: string;
  readonly #seed: MutationSeed;
  readonly #file: MutatedFile;

  constructor(engine: IsolatedEngine, modelPath: string, seed: MutationSeed, file: MutatedFile) {
    // One process for all files, which models neither close nor listen to.
    this.#engine = { ...engine, listenToCrashes: () => {}, close: async () => {} };
    this.#closeEngine = engine.close;
    this.#modelPath = modelPath;
    this.#seed = seed;
    this.#file = file;
  }

  make(random: Random): JsonObject {
    const { name, header, fileSize } = mutateAdapter(this.#seed, random.below(2 ** 31));
    return { mutation: name, fileSize, header: packBytes(header) };
  }

  async run({ header, fileSize }: JsonObject): Promise<void> {
    await this.#file.apply({ name: '', header: unpackBytes(header), fileSize: Number(fileSize) });
    const options = { contextSize: 64, batchSize: 32, threads: 1, adapters: [this.#file.path] };
    const model = await loadModelInto(async () => this.#engine, this.#modelPath, options);
    try {
      await model.generate('Hello', { maxTokens: 2, seed: 1 }).result;
      await model.embed('Hello');
    } finally {
      await model.close();
    }
  }

  async close(): Promise<void> {
    await this.#closeEngine();
    await this.#file.close();
  }
}

export const adapterKind: FuzzKind = {
  name: 'adapter',
  async prepare(workplace) {
    const modelPath = workplace.path('adapted.gguf');
    await writeTinyGenerator(modelPath);
    const model = await readGgufHeader(modelPath);
    const changes = randomChanges(model, { targets });
    const adapter = await writeAdapter(model, changes, { path: workplace.path('whole-adapter.gguf') });
    const seed = await readSeed('adapter', adapter);
    const file = await MutatedFile.create(workplace.path('adapter.gguf'), seed);
    return new AdapterKind(await workplace.startEngine(), modelPath, seed, file);
  },
};
