import Type, { type Static } from 'typebox';
import type { Model } from '../../index.js';
import { invalidField } from '../failures.js';

const MixedPrompt = Type.Array(Type.Union([Type.String(), Type.Integer({ minimum: 0 })]));
const PromptObject = Type.Object({
  prompt_string: Type.String(),
  multimodal_data: Type.Optional(Type.Array(Type.String())),
});

/** Prompts in all the forms that llama-server takes. */
export const PromptSchema = Type.Union(
  [
    Type.String(),
    PromptObject,
    Type.Array(Type.Union([Type.String(), Type.Integer({ minimum: 0 }), MixedPrompt, PromptObject]), {
      minItems: 1,
    }),
  ],
  {
    description:
      'A text, token ids, or both mixed in an array; an array of texts, or of arrays, is several prompts.',
  },
);

/** One prompt: pieces of text, and token ids. */
type Pieces = readonly (string | number)[];

type Item = Exclude<Extract<Static<typeof PromptSchema>, unknown[]>[number], number>;

function toPieces(item: Item, index: number): Pieces {
  if (typeof item === 'string') return [item];
  if (Array.isArray(item)) return item;
  if (item.multimodal_data?.length) {
    const message = `prompt[${index}] brings images or audio, which are not supported yet. Send text alone.`;
    throw invalidField('prompt', message);
  }
  return [item.prompt_string];
}

/** @returns the prompts, and whether the request named several. */
function splitPrompts(prompt: Static<typeof PromptSchema>): { prompts: Pieces[]; areSeveral: boolean } {
  if (!Array.isArray(prompt)) return { prompts: [toPieces(prompt, 0)], areSeveral: false };
  const isMixed = prompt.every((item) => typeof item === 'string' || typeof item === 'number');
  if (isMixed && prompt.some((item) => typeof item === 'number')) {
    return { prompts: [prompt as Pieces], areSeveral: false };
  }
  const prompts = prompt.map((item, index) => {
    if (typeof item !== 'number') return toPieces(item, index);
    const message = `prompt[${index}] is a token id among whole prompts. Put ids into an array of their own.`;
    throw invalidField('prompt', message);
  });
  return { prompts, areSeveral: true };
}

/** Texts and token ids as one list. The begin of the sequence goes only before a text that comes first. */
async function toTokens(model: Model, pieces: Pieces): Promise<Int32Array> {
  const lists = await Promise.all(
    pieces.map((piece, index) =>
      typeof piece === 'number'
        ? Int32Array.of(piece)
        : model.tokenize(piece, { addSpecial: index === 0, parseSpecial: true }),
    ),
  );
  return Int32Array.from(lists.flatMap((list) => [...list]));
}

/** Prompts as the model reads them. */
export interface ReadPrompts {
  readonly tokens: readonly Int32Array[];
  /** The request named several, so the answer is an array. */
  readonly areSeveral: boolean;
}

/** @throws RequestError for a prompt that is none, or without any token. */
export async function readPrompts(model: Model, prompt: Static<typeof PromptSchema>): Promise<ReadPrompts> {
  const { prompts, areSeveral } = splitPrompts(prompt);
  const tokens = await Promise.all(prompts.map((pieces) => toTokens(model, pieces)));
  const empty = tokens.findIndex(({ length }) => length === 0);
  if (empty >= 0) {
    const name = areSeveral ? `prompt[${empty}]` : 'prompt';
    throw invalidField('prompt', `Expected at least one token in ${name}; it is empty.`);
  }
  return { tokens, areSeveral };
}
