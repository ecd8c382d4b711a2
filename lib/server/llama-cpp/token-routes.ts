import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import { ChatRequest } from '../openai/chat-request.js';
import { readMessages } from '../openai/messages.js';
import { Nullable } from '../requests/nullable.js';
import { readPieces } from '../tokens/token-bytes.js';

const model = Nullable(Type.String({ description: 'Name of the model. Default: the default model.' }));
const TokenId = Type.Integer({ minimum: 0, maximum: 0x7fffffff });

const TokenizeRequest = Type.Object({
  content: Type.String({ description: 'The text to tokenize.' }),
  add_special: Nullable(Type.Boolean({ default: false, description: 'Add the begin-of-sequence token.' })),
  parse_special: Nullable(Type.Boolean({ default: true, description: 'Read control tokens as such.' })),
  with_pieces: Nullable(Type.Boolean({ default: false, description: 'Tell what each token stands for.' })),
  model,
});

const TokenizeResponse = Type.Object({
  tokens: Type.Array(
    Type.Union([
      Type.Integer(),
      Type.Object({
        id: Type.Integer(),
        piece: Type.Union([Type.String(), Type.Array(Type.Integer())], {
          description: 'A text; the bytes of a token that is only a part of a character.',
        }),
      }),
    ]),
  ),
});

const DetokenizeRequest = Type.Object({ tokens: Type.Array(TokenId), model });

const ApplyTemplateRequest = Type.Object({
  messages: ChatRequest.properties.messages,
  add_generation_prompt: Nullable(Type.Boolean({ default: true })),
  chat_template_kwargs: Nullable(Type.Record(Type.String(), Type.Unknown())),
  model,
});

/** `/tokenize`, `/detokenize`, `/apply-template`. */
export function tokenRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/tokenize',
      {
        schema: {
          tags: ['llama.cpp'],
          summary: 'Turn text into tokens',
          body: TokenizeRequest,
          response: { 200: TokenizeResponse },
        },
      },
      async ({ body, scope, client }) => {
        const { content, add_special: addSpecial, parse_special: parseSpecial } = body;
        const request = { scope, client, kind: 'tokens', model: body.model ?? undefined } as const;
        return context.work.run(request, async ({ model }) => {
          const tokens = await model.tokenize(content, {
            addSpecial: addSpecial ?? false,
            parseSpecial: parseSpecial ?? true,
          });
          if (body.with_pieces !== true) return { tokens: [...tokens] };
          const pieces = await readPieces(model, tokens);
          return {
            tokens: pieces.map((piece, index) => ({
              id: tokens[index] as number,
              piece: typeof piece === 'string' ? piece : [...piece],
            })),
          };
        });
      },
    );

    app.post(
      '/detokenize',
      {
        schema: {
          tags: ['llama.cpp'],
          summary: 'Turn tokens into text',
          body: DetokenizeRequest,
          response: { 200: Type.Object({ content: Type.String() }) },
        },
      },
      async ({ body, scope, client }) =>
        context.work.run(
          { scope, client, kind: 'tokens', model: body.model ?? undefined },
          async (place) => ({
            content: await place.model.detokenize(body.tokens, { renderSpecial: true }),
          }),
        ),
    );

    app.post(
      '/apply-template',
      {
        schema: {
          tags: ['llama.cpp'],
          summary: 'Turn a conversation into the prompt that the model reads',
          body: ApplyTemplateRequest,
          response: { 200: Type.Object({ prompt: Type.String() }) },
        },
      },
      async ({ body, scope, client }) =>
        context.work.run({ scope, client, kind: 'tokens', model: body.model ?? undefined }, async (place) => {
          const { enable_thinking: thinking, ...variables } = body.chat_template_kwargs ?? {};
          const { prompt } = await place.model.applyChatTemplate(readMessages(body.messages), {
            addGenerationPrompt: body.add_generation_prompt ?? true,
            ...(typeof thinking === 'boolean' && { enableThinking: thinking }),
            variables,
          });
          return { prompt };
        }),
    );
  };
}
