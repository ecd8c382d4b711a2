import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { RequestError, toParam } from '../failures.js';
import { ChatRequest } from '../openai/chat-request.js';
import { optionalInteger, optionalObject, optionalText } from '../openai/fields.js';
import { samplingProperties } from '../openai/sampling.js';

const Id = Type.String({ minLength: 1, maxLength: 128 });

const ChatMessage = Type.Object({ type: Type.Literal('chat'), id: Id, ...ChatRequest.properties });

const CompletionMessage = Type.Object({
  type: Type.Literal('completion'),
  id: Id,
  model: optionalText('Name of the model. Default: the default model.'),
  prompt: Type.String({ minLength: 1 }),
  max_tokens: optionalInteger('Default: until the model ends its answer.', {
    minimum: 1,
    maximum: 0x7fff_ffff,
  }),
  grammar: optionalText('A grammar in GBNF that the answer follows.'),
  json_schema: optionalObject('A JSON schema that the answer fits.'),
  ...samplingProperties,
});

const CancelMessage = Type.Object({ type: Type.Literal('cancel'), id: Id });
const PingMessage = Type.Object({ type: Type.Literal('ping'), id: Type.Optional(Id) });

export type ChatMessage = Static<typeof ChatMessage>;
export type CompletionMessage = Static<typeof CompletionMessage>;

/** What starts a generation. */
export type StartMessage = ChatMessage | CompletionMessage;

/** What a client may send. */
export type ClientMessage = StartMessage | Static<typeof CancelMessage> | Static<typeof PingMessage>;

const forms = {
  chat: Compile(ChatMessage),
  completion: Compile(CompletionMessage),
  cancel: Compile(CancelMessage),
  ping: Compile(PingMessage),
};

const isKnown = (type: unknown): type is keyof typeof forms =>
  typeof type === 'string' && Object.hasOwn(forms, type);

/** A message that cannot be served, with its id as far as it has one. */
export class RefusedMessage extends RequestError {
  readonly id: string | undefined;

  constructor(id: unknown, code: string, message: string, param?: string) {
    super('invalid-request', code, message, param === undefined ? {} : { param });
    this.id = typeof id === 'string' && id.length <= 128 ? id : undefined;
  }
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RefusedMessage(undefined, 'invalid_json', 'Expected a message of JSON; this is none.');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new RefusedMessage(undefined, 'invalid_message', 'Expected a JSON object as message.');
}

/**
 * Reads a message.
 * @throws RefusedMessage that says what is wrong.
 */
export function readMessage(text: string): ClientMessage {
  const value = parse(text);
  const { type, id } = value;
  if (!isKnown(type)) {
    const message = `Expected one of ${Object.keys(forms).join(', ')} as type of a message; received ${JSON.stringify(type)?.slice(0, 60)}.`;
    throw new RefusedMessage(id, 'unknown_type', message, 'type');
  }
  const form = forms[type];
  if (form.Check(value)) return value;
  const [error] = form.Errors(value);
  const param = toParam(error?.instancePath ?? '');
  const message = `${param || 'The message'} ${error?.message ?? 'is not as it should be'}.`;
  throw new RefusedMessage(id, 'invalid_value', message, param || undefined);
}
