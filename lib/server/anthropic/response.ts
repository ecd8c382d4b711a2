import Type from 'typebox';

const nullableText = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], description });

const Block = Type.Object(
  { type: Type.String({ description: '`thinking`, `text` or `tool_use`.' }) },
  { additionalProperties: true },
);

/** How many tokens were read and made. */
const UsageResponse = Type.Object(
  {
    input_tokens: Type.Integer({ description: 'Tokens of the prompt that had to be read.' }),
    cache_read_input_tokens: Type.Integer({ description: 'Tokens of the prompt that were in the cache.' }),
    cache_creation_input_tokens: Type.Integer({ description: 'Always 0: every prompt is cached.' }),
    output_tokens: Type.Integer(),
  },
  { additionalProperties: true },
);

/** Answer of `POST /v1/messages`, unless it is streamed. */
export const MessageResponse = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal('message'),
    role: Type.Literal('assistant'),
    model: Type.String(),
    content: Type.Array(Block),
    stop_reason: nullableText(
      '`end_turn`, `max_tokens`, `stop_sequence`, `tool_use` or `model_context_window_exceeded`.',
    ),
    stop_sequence: nullableText('The stop sequence that ended the answer, if one did.'),
    usage: UsageResponse,
  },
  { additionalProperties: true },
);

/** Answer of `POST /v1/messages/count_tokens`. */
export const CountResponse = Type.Object({ input_tokens: Type.Integer() });
