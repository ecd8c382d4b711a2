/** Grammars in GBNF: llama.cpp's own, mutated, and written at random. */
import { readdir } from 'node:fs/promises';
import type { Model } from '../../../lib/model/model.js';
import type { Random } from '../../../test/helpers/gguf-random.js';
import { readVendored, vendoredPath } from '../../../test/helpers/vendored.js';
import { readMatchCases } from '../../../test/helpers/vendored-grammar-cases.js';
import type { JsonObject } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { writeGenerator } from '../models.js';
import { mutateText } from '../mutate-text.js';
import { writeGrammar } from '../writers/gbnf.js';

async function readSeeds(): Promise<string[]> {
  const names = (await readdir(vendoredPath('grammars'))).filter((name) => name.endsWith('.gbnf')).sort();
  const files = await Promise.all(names.map((name) => readVendored('grammars', name)));
  const cases = (await readMatchCases()).filter(({ kind }) => kind === 'grammar');
  return [...files, ...cases.map(({ source }) => source)];
}

class GrammarKind implements PreparedKind {
  readonly #model: Model;
  readonly #seeds: readonly string[];

  constructor(model: Model, seeds: readonly string[]) {
    this.#model = model;
    this.#seeds = seeds;
  }

  make(random: Random): JsonObject {
    const written = random.next() < 0.5;
    const base = written ? writeGrammar(random) : random.pick(this.#seeds);
    const changed = !written || random.next() < 0.3;
    const grammar = changed ? mutateText(base, random.pick(this.#seeds), random) : base;
    return { grammar, seed: random.below(100) };
  }

  async run({ grammar, seed }: JsonObject): Promise<void> {
    const options = { grammar: grammar as string, maxTokens: 5, seed: Number(seed ?? 1), temperature: 2 };
    await this.#model.generate('x', options).result;
  }

  async close(): Promise<void> {
    await this.#model.close();
  }
}

export const grammarKind: FuzzKind = {
  name: 'grammar',
  async prepare(workplace) {
    return new GrammarKind(await workplace.openModel(await writeGenerator(workplace)), await readSeeds());
  },
};
