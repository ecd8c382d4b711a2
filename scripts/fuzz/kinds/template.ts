/** Chat templates: those of the vendored tree, mutated, and written at random. */
import { readdir } from 'node:fs/promises';
import type { ChatMessage } from '../../../lib/chat/types.js';
import type { Model } from '../../../lib/model/model.js';
import type { Random } from '../../../test/helpers/gguf-random.js';
import { readVendored, vendoredPath } from '../../../test/helpers/vendored.js';
import { conversations } from '../conversations.js';
import { type JsonObject, toValue } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { writeGenerator } from '../models.js';
import { mutateText } from '../mutate-text.js';
import { writeTemplate } from '../writers/jinja.js';

/** Templates of the vendored tree by name. */
export async function readTemplates(): Promise<Map<string, string>> {
  const names = (await readdir(vendoredPath('models', 'templates')))
    .filter((name) => name.endsWith('.jinja'))
    .sort();
  const templates = new Map<string, string>();
  for (const name of names) templates.set(name, await readVendored('models', 'templates', name));
  return templates;
}

class TemplateKind implements PreparedKind {
  readonly #model: Model;
  readonly #seeds: readonly string[];

  constructor(model: Model, seeds: readonly string[]) {
    this.#model = model;
    this.#seeds = seeds;
  }

  make(random: Random): JsonObject {
    const written = random.next() < 0.6;
    const base = written ? writeTemplate(random) : random.pick(this.#seeds);
    const changed = !written || random.next() < 0.2;
    const template = changed ? mutateText(base, random.pick(this.#seeds), random) : base;
    return { template, messages: random.pick(conversations) };
  }

  async run({ template, messages }: JsonObject): Promise<void> {
    await this.#model.applyChatTemplate(toValue(messages) as ChatMessage[], { template: template as string });
  }

  async close(): Promise<void> {
    await this.#model.close();
  }
}

export const templateKind: FuzzKind = {
  name: 'template',
  async prepare(workplace) {
    const model = await workplace.openModel(await writeGenerator(workplace));
    return new TemplateKind(model, [...(await readTemplates()).values()]);
  },
};
