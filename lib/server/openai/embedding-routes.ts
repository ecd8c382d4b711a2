import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import type { Model } from '../../index.js';
import type { ServerContext } from '../context.js';
import { invalidField } from '../failures.js';
import { unexpected } from './checks.js';
import { type Prompt, readPrompts } from './completion-request.js';
import { nameCause } from './errors.js';
import { optionalInteger, optionalOneOf, optionalText } from './fields.js';

/** As in OpenAI's API. */
const mostInputs = 2048;

const EmbeddingRequest = Type.Object({
  input: Type.Unsafe<string | readonly unknown[]>({
    type: ['string', 'array'],
    description: `A text, an array of token ids, or an array of at most ${mostInputs} of them.`,
    items: {},
  }),
  model: optionalText('Name of the model. Default: the default model.'),
  encoding_format: optionalOneOf<string>(['string'], '`float` (the default) or `base64`.'),
  dimensions: optionalInteger('Keep that many of the first dimensions; for models that were trained so.', {
    minimum: 1,
  }),
});

type EmbeddingBody = Static<typeof EmbeddingRequest>;

/** A vector's first dimensions, scaled to the length 1 again. */
export function shorten(vector: Float32Array, dimensions: number): Float32Array {
  const kept = vector.slice(0, dimensions);
  const length = Math.hypot(...kept);
  return length === 0 ? kept : kept.map((value) => value / length);
}

/** A vector as JSON has it: numbers, or the bytes of 32-bit floats, lowest first. */
function encode(vector: Float32Array, format: string): number[] | string {
  if (format === 'float') return Array.from(vector);
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

function readFormat({ encoding_format: format }: EmbeddingBody): string {
  if (format === undefined || format === null) return 'float';
  if (format === 'float' || format === 'base64') return format;
  throw unexpected('encoding_format', '"float" or "base64"', format);
}

function readInputs({ input }: EmbeddingBody): readonly Prompt[] {
  const inputs = readPrompts(input, 'input');
  if (inputs.length > mostInputs) throw unexpected('input', `at most ${mostInputs} texts`, inputs);
  const empty = inputs.findIndex(({ length }) => length === 0);
  if (empty !== -1) throw unexpected(`input[${empty}]`, 'at least one character or token', inputs[empty]);
  return inputs;
}

/** Texts for inputs; tokens that come from another tokenizer than the model's are most likely noticed here. */
async function toTexts(model: Model, inputs: readonly Prompt[]): Promise<string[]> {
  return Promise.all(
    inputs.map(async (input, index) => {
      if (typeof input === 'string') return input;
      const text = await model.detokenize(input, { removeSpecial: true });
      if (text !== '') return text;
      throw invalidField(
        `input[${index}]`,
        `The tokens of input[${index}] are no text in this model's vocabulary.`,
      );
    }),
  );
}

function checkDimensions(dimensions: number | undefined, model: Model): void {
  const { embeddingLength } = model.metadata;
  if (dimensions !== undefined && dimensions > embeddingLength) {
    throw unexpected('dimensions', `at most ${embeddingLength}, as many as the model has,`, dimensions);
  }
}

/** Embeddings as they were asked for. */
export interface EmbeddingPlan {
  readonly inputs: readonly Prompt[];
  readonly format: string;
  readonly dimensions: number | undefined;
}

export function planEmbeddings(body: EmbeddingBody): EmbeddingPlan {
  return { inputs: readInputs(body), format: readFormat(body), dimensions: body.dimensions ?? undefined };
}

/** The embeddings, and how many tokens they were made of. */
export async function embed(
  model: Model,
  { inputs, format, dimensions }: EmbeddingPlan,
  signal: AbortSignal,
) {
  checkDimensions(dimensions, model);
  const texts = await toTexts(model, inputs);
  const vectors = await model.embed(texts, { signal });
  const lists = await model.tokenize(texts);
  const tokens = lists.reduce((sum, list) => sum + list.length, 0);
  return {
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: encode(dimensions === undefined ? vector : shorten(vector, dimensions), format),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** `POST /v1/embeddings`. */
export function embeddingRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/v1/embeddings',
      { schema: { tags: ['OpenAI'], summary: 'Turn texts into vectors', body: EmbeddingRequest } },
      async ({ body, scope, client }) => {
        try {
          const plan = planEmbeddings(body);
          const work = { scope, client, kind: 'embedding', model: body.model ?? undefined } as const;
          return await context.work.run(work, async ({ model, name, signal }) => ({
            object: 'list',
            model: name,
            ...(await embed(model, plan, signal)),
          }));
        } catch (error) {
          throw nameCause(error, { input: 'input', format: 'input', maxTokens: 'input', tokens: 'input' });
        }
      },
    );
  };
}
