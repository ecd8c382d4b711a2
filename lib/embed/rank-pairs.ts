import { createError } from '../errors.js';
import { addonOf, type ModelHandle, type NativeModelInfo } from '../native/addon.js';

/** Where the file of a ranking model has its prompt, with `{query}` and `{document}` in it. */
const templateKey = 'tokenizer.chat_template.rerank';

/** A query and the documents that are compared with it. */
interface Pairs {
  readonly query: string;
  readonly documents: readonly string[];
}

/**
 * The tokens of a query with each document, as llama-server puts them together: as the model's own template for
 * ranking says, or else with the special tokens that stand around a text, and between two, in its vocabulary.
 * @throws ModelLoadError MODEL_UNSUPPORTED if the model says in neither way where the document begins.
 */
export async function tokenizePairs(model: ModelHandle, pairs: Pairs): Promise<Int32Array[]> {
  const template = addonOf(model).getModelInfo(model).keys[templateKey];
  return template === undefined ? joinPairs(model, pairs) : fillTemplate(model, template, pairs);
}

async function joinPairs(model: ModelHandle, { query, documents }: Pairs): Promise<Int32Array[]> {
  const addon = addonOf(model);
  const info = addon.getModelInfo(model);
  const between = tokensBetween(info);
  const [around = new Int32Array()] = await addon.tokenize(model, [''], true, false);
  const [queryTokens = new Int32Array(), ...lists] = await addon.tokenize(
    model,
    [query, ...documents],
    false,
    false,
  );
  // What the vocabulary puts around an empty text: the first one begins, the others end.
  const begins = info.addsBeginOfSequence && around[0] === info.beginOfSequence ? 1 : 0;
  const [before, after] = [around.subarray(0, begins), around.subarray(begins)];
  return lists.map((tokens) => concatenate([before, queryTokens, between, tokens, after]));
}

/** A vocabulary without a token for the end of a sequence has its separator there. */
function tokensBetween(info: NativeModelInfo): Int32Array {
  const tokens = [
    info.addsEndOfSequence ? (info.endOfSequence ?? info.separator) : undefined,
    info.addsSeparator ? info.separator : undefined,
  ].filter((token) => token !== undefined);
  if (tokens.length > 0) return Int32Array.from(tokens);
  throw createError(
    'MODEL_UNSUPPORTED',
    "This model's file does not say how a query and a document are put together: its vocabulary puts no token between " +
      `two texts, and it has no template for ranking (${templateKey}). Take another file of the model.`,
  );
}

async function fillTemplate(
  model: ModelHandle,
  template: string,
  { query, documents }: Pairs,
): Promise<Int32Array[]> {
  const addon = addonOf(model);
  const parts = template.split(/(\{query\}|\{document\})/);
  const controlTexts = addon.getControlTexts(model).filter(({ isUserDefined }) => !isUserDefined);
  const hasControlText = (value: string) => controlTexts.some(({ text }) => value.includes(text));
  const isQueryPlain = !hasControlText(query);
  const fill = (part: string, document: string) =>
    part === '{query}' ? query : part === '{document}' ? document : part;

  return Promise.all(
    documents.map(async (document) => {
      if (isQueryPlain && !hasControlText(document)) {
        const text = parts.map((part) => fill(part, document)).join('');
        return concatenate(await addon.tokenize(model, [text], false, true));
      }
      // A control token that is written in a text is plain text: only the template's own words may be control tokens.
      const lists = parts.map(async (part) => {
        const isTemplate = part !== '{query}' && part !== '{document}';
        return concatenate(await addon.tokenize(model, [fill(part, document)], false, isTemplate));
      });
      return concatenate(await Promise.all(lists));
    }),
  );
}

function concatenate(lists: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(lists.reduce((length, list) => length + list.length, 0));
  let at = 0;
  for (const list of lists) {
    whole.set(list, at);
    at += list.length;
  }
  return whole;
}
