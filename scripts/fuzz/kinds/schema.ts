/** JSON schemas: those of llama.cpp's tests, mutated, and written at random. */
import type { JsonSchema } from '../../../lib/generate/check-json-schema.js';
import type { Model } from '../../../lib/model/model.js';
import type { Random } from '../../../test/helpers/gguf-random.js';
import { readMatchCases, readSchemaCases } from '../../../test/helpers/vendored-grammar-cases.js';
import { isObject, type Json, type JsonObject, toValue } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { writeGenerator } from '../models.js';
import { mutateJson } from '../mutate-json.js';
import { schemaKeywords, writeSchema } from '../writers/schema.js';

function parsed(text: string): JsonObject[] {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? [value] : [];
  } catch {
    return [];
  }
}

async function readSeeds(): Promise<JsonObject[]> {
  const matches = (await readMatchCases()).filter(({ kind }) => kind === 'schema');
  const texts = [
    ...(await readSchemaCases()).map(({ schema }) => schema),
    ...matches.map(({ source }) => source),
  ];
  return texts.flatMap(parsed);
}

class SchemaKind implements PreparedKind {
  readonly #model: Model;
  readonly #seeds: readonly JsonObject[];

  constructor(model: Model, seeds: readonly JsonObject[]) {
    this.#model = model;
    this.#seeds = seeds;
  }

  make(random: Random): JsonObject {
    const written = random.next() < 0.5;
    const base = written ? writeSchema(random) : random.pick(this.#seeds);
    const changed = !written || random.next() < 0.3;
    const pool = { keys: schemaKeywords, values: this.#seeds };
    return { jsonSchema: changed ? mutateJson(base, random, pool) : base, seed: random.below(100) };
  }

  async run({ jsonSchema, seed }: JsonObject): Promise<void> {
    const schema = toValue(jsonSchema) as JsonSchema;
    const options = { jsonSchema: schema, maxTokens: 5, seed: Number(seed ?? 1), temperature: 2 };
    await this.#model.generate('x', options).result;
  }

  async close(): Promise<void> {
    await this.#model.close();
  }
}

export const schemaKind: FuzzKind = {
  name: 'schema',
  async prepare(workplace) {
    return new SchemaKind(await workplace.openModel(await writeGenerator(workplace)), await readSeeds());
  },
};
