/** Lists of messages and tools, mutated, rendered with the templates of the vendored tree and answered in chats. */
import type { Tools } from '../../../lib/chat/tool.js';
import type { ChatMessage } from '../../../lib/chat/types.js';
import type { Model } from '../../../lib/model/model.js';
import type { Random } from '../../../test/helpers/gguf-random.js';
import { conversations, messageKeys, messageValues, toolParameters } from '../conversations.js';
import { isObject, type JsonObject, toValue } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { writeGenerator } from '../models.js';
import { mutateJson } from '../mutate-json.js';
import { schemaKeywords, writeSchema } from '../writers/schema.js';
import { readTemplates } from './template.js';

const messagePool = { keys: messageKeys, values: messageValues };
const toolPool = { keys: [...schemaKeywords, 'time', ''], values: [{ type: 'string' }, { type: 'object' }] };

/** Tools that hand their calls to the caller. */
function toTools(parameters: unknown): Tools {
  if (typeof parameters !== 'object' || parameters === null) return parameters as Tools;
  const tools = Object.entries(parameters).map(([name, schema]) => [name, { parameters: schema }]);
  return Object.fromEntries(tools) as Tools;
}

class MessagesKind implements PreparedKind {
  readonly #model: Model;
  readonly #templates: ReadonlyMap<string, string>;

  constructor(model: Model, templates: ReadonlyMap<string, string>) {
    this.#model = model;
    this.#templates = templates;
  }

  make(random: Random): JsonObject {
    const template = random.next() < 0.3 ? '' : random.pick([...this.#templates.keys()]);
    const { messages = [] } = mutateJson({ messages: random.pick(conversations) }, random, messagePool);
    const door = random.next() < 0.5 ? 'render' : 'chat';
    return {
      door,
      template,
      messages,
      ...(door === 'chat' && random.next() < 0.5 && this.#makeTools(random)),
    };
  }

  #makeTools(random: Random): JsonObject {
    const written = { made: { type: 'object', properties: { a: writeSchema(random) } } };
    const base = random.next() < 0.6 ? toolParameters : written;
    const toolChoice = random.pick(['auto', 'required', 'none', 'auto']);
    return { tools: random.next() < 0.7 ? mutateJson(base, random, toolPool) : base, toolChoice };
  }

  async run(input: JsonObject): Promise<void> {
    const { door, template } = input;
    const messages = toValue(input.messages) as ChatMessage[];
    const source = typeof template === 'string' ? this.#templates.get(template) : undefined;
    const rendering = source === undefined ? {} : { template: source };
    if (door === 'render') {
      await this.#model.applyChatTemplate(messages, rendering);
      return;
    }
    const tools = isObject(input.tools)
      ? { tools: toTools(toValue(input.tools)), toolChoice: input.toolChoice as 'auto' }
      : {};
    await this.#model.chat(messages, { ...rendering, ...tools, maxTokens: 3, seed: 1 }).result;
  }

  async close(): Promise<void> {
    await this.#model.close();
  }
}

export const messagesKind: FuzzKind = {
  name: 'messages',
  async prepare(workplace) {
    // Some templates with their tools come to thousands of tokens, one for each byte here.
    const model = await workplace.openModel(await writeGenerator(workplace), {
      contextSize: 4096,
      batchSize: 512,
    });
    return new MessagesKind(model, await readTemplates());
  },
};
