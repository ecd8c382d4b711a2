import { checkBoolean, checkInteger, checkKeys, checkString, invalidArgument } from '../arguments.js';
import { renderKeys } from '../chat/answer-options.js';
import { checkAnswerable } from '../chat/chat.js';
import { checkRenderOptions, type PromptRequest } from '../chat/render.js';
import type { ChatContent, ChatMessage } from '../chat/types.js';
import { checkGenerateOptions, generateKeys } from '../generate/check-options.js';
import type { GenerateOptions } from '../generate/types.js';
import { type ObjectForm, toObjectForm } from './object-form.js';
import type { AnyObjectOptions } from './types.js';

/** An answer in a form to make, from options that are checked. */
export interface ObjectRequest {
  readonly form: ObjectForm;
  readonly prompt: PromptRequest;
  readonly generate: GenerateOptions;
  readonly retries: number;
}

const formKeys = ['schema', 'choice', 'regex', 'grammar'] as const;
const promptKeys = ['prompt', 'messages', 'system', 'schemaInPrompt'];
/** What would end an answer in the middle of its form, or is not part of the result. */
const refusedKeys = ['stop', 'ignoreEndOfSequence', 'logprobs', 'jsonSchema', 'addSpecial', 'parseSpecial'];

const passedOn = generateKeys.filter(
  (key) => !refusedKeys.includes(key) && !formKeys.some((name) => name === key),
);
const knownKeys: readonly string[] = [...formKeys, ...promptKeys, ...renderKeys, ...passedOn];

function pick(options: AnyObjectOptions, keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(options).filter(([key]) => keys.includes(key)));
}

function checkForm(options: AnyObjectOptions): void {
  const given = formKeys.filter((key) => options[key] !== undefined);
  const [first, second] = given;
  if (first === undefined)
    throw invalidArgument('schema', 'a schema, or one of choice, regex and grammar', undefined);
  if (second !== undefined) throw invalidArgument(second, `nothing beside ${first}`, options[second]);
  const { schema } = options;
  if (schema === undefined) return;
  const isSchema = (typeof schema === 'object' && schema !== null) || typeof schema === 'function';
  if (!isSchema || Array.isArray(schema))
    throw invalidArgument('schema', 'a JSON schema, or a schema of a library such as Zod', schema);
}

/** Only the grammars of templates know thoughts, and they are made for JSON. */
function checkThinking({ enableThinking, reasoningBudget, schema }: AnyObjectOptions): void {
  if (enableThinking === true && schema === undefined)
    throw invalidArgument('enableThinking', 'a schema beside it', enableThinking);
  if (reasoningBudget !== undefined && enableThinking !== true)
    throw invalidArgument('reasoningBudget', 'enableThinking: true beside it', reasoningBudget);
}

function toMessages({ prompt, messages, system }: AnyObjectOptions): readonly ChatMessage[] {
  checkString('prompt', prompt);
  checkString('system', system);
  if (prompt !== undefined && messages !== undefined)
    throw invalidArgument('messages', 'nothing beside prompt', messages);
  if (prompt === undefined && messages === undefined)
    throw invalidArgument('prompt', 'a text, or messages', prompt);
  const said = messages ?? [{ role: 'user', content: prompt ?? '' }];
  if (!Array.isArray(said)) throw invalidArgument('messages', 'an array of messages', messages);
  const all = [...(system === undefined ? [] : [{ role: 'system', content: system }]), ...said];
  checkAnswerable(all);
  if (all.at(-1)?.role === 'assistant')
    throw invalidArgument('messages', 'a last message that is not of the assistant', messages);
  return all;
}

function addText(content: ChatContent, text: string): ChatContent {
  return typeof content === 'string' ? content + text : [...content, { type: 'text', text }];
}

/** The schema stands behind the conversation, so that other calls with the same beginning share its cells. */
function tellSchema(messages: readonly ChatMessage[], schema: string): readonly ChatMessage[] {
  const last = messages.findLastIndex(({ role }) => role === 'user');
  return messages.map((message, index) =>
    index === last
      ? {
          ...message,
          content: addText(message.content, `\n\nAnswer with JSON that fits this JSON schema:\n${schema}`),
        }
      : message,
  );
}

/**
 * Checks the options of an answer in a form.
 * @throws InvalidArgumentError; INVALID_SCHEMA, INVALID_REGEX; ChatError INVALID_MESSAGES, CONTENT_UNSUPPORTED.
 */
export function toObjectRequest(options: AnyObjectOptions, moreKeys: readonly string[] = []): ObjectRequest {
  checkKeys('options', options, [...knownKeys, ...moreKeys]);
  checkForm(options);
  checkBoolean('schemaInPrompt', options.schemaInPrompt);
  checkInteger('retries', options.retries, 0, 10);
  checkRenderOptions(options);
  checkThinking(options);
  const messages = toMessages(options);
  const form = toObjectForm(options);
  const generate: GenerateOptions = { ...pick(options, passedOn), ...form.constraint };
  checkGenerateOptions(generate);
  const tells = form.schemaText !== undefined && options.schemaInPrompt !== false;
  return {
    form,
    generate,
    prompt: {
      enableThinking: false,
      ...pick(options, renderKeys),
      messages: tells ? tellSchema(messages, form.schemaText ?? '') : messages,
    },
    retries: options.retries ?? 0,
  };
}
