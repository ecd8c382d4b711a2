import type { CachedModel } from '../../index.js';
import type { Library } from '../library.js';
import type { Check } from './check.js';

/** Headers that are read at most: each takes some milliseconds. */
const mostModels = 100;

/** A model whose chat template writes marks that its users can write too. */
interface OpenTemplate {
  readonly source: string;
  readonly marks: readonly string[];
}

/** Whether the users of a chat could write the marks of a template; of the models on this machine. */
export async function checkTemplates(library: Library): Promise<Check[]> {
  const models = await library.listCachedModels().catch(() => []);
  // Vocabulary and template of a model in parts are in the first.
  const wholes = models
    .filter(({ file }) => !/-(?!00001)\d{5}-of-\d{5}\.gguf$/.test(file))
    .slice(0, mostModels);
  const read = await Promise.all(wholes.map((model) => examineTemplate(library, model)));
  const known = read.filter((entry) => entry !== undefined);
  if (known.length === 0) return [];
  const open = known.filter(({ marks }) => marks.length > 0);
  const name = 'Templates';
  const facts = { models: known.length, open };
  if (open.length === 0) {
    const models = known.length === 1 ? 'the model here' : `all ${known.length} models here`;
    return [{ name, status: 'ok', detail: `users cannot write the marks of ${models}`, facts }];
  }
  const list = open
    .map(({ source, marks }) => `${source} (${marks.map((mark) => JSON.stringify(mark)).join(' ')})`)
    .join(', ');
  return [
    {
      name,
      status: 'warning',
      detail: `users can write marks of ${open.length} of ${known.length} models here: ${list}`,
      remedy: 'take these characters out of what users write, or use another template; see docs/chat.md.',
      facts,
    },
  ];
}

/** Undefined for a model that has no template, or that cannot be read: whoever loads it hears why. */
async function examineTemplate(library: Library, model: CachedModel): Promise<OpenTemplate | undefined> {
  try {
    const metadata = await library.readGgufMetadata(model.path);
    const tokens = metadata.chatTemplate === undefined ? undefined : library.findSpecialTokens(metadata);
    return tokens && { source: model.source, marks: tokens.uncoveredInTemplate };
  } catch {
    return undefined;
  }
}
