import { checkBoolean, checkKeys, checkString, invalidArgument } from '../arguments.js';
import { getAddon, type ModelHandle } from '../native/addon.js';
import type { ChatMessage, ChatTemplateOptions, RenderedChat } from './types.js';

const templateKeys = [
  'template',
  'addGenerationPrompt',
  'enableThinking',
  'variables',
  'beginOfSequence',
  'endOfSequence',
];

/**
 * Checks that messages are what a template can render.
 * @throws InvalidArgumentError naming the message.
 */
export function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages)) throw invalidArgument('messages', 'an array of { role, content }', messages);
  messages.forEach((message: ChatMessage, index) => {
    if (typeof message?.role !== 'string' || message.role === '') {
      throw invalidArgument(`messages[${index}].role`, 'a role such as user or assistant', message?.role);
    }
    if (typeof message.content !== 'string') {
      throw invalidArgument(`messages[${index}].content`, 'a string', message.content);
    }
  });
}

/** Each value as JSON, since the template engine takes its variables that way. */
function toJsonVariables(variables: Readonly<Record<string, unknown>> | undefined): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables ?? {})) {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined)
      throw invalidArgument(`variables.${name}`, 'a value that JSON can express', value);
    result[name] = json;
  }
  return result;
}

/**
 * Renders a conversation with a chat template through llama.cpp's Jinja.
 * @throws ChatError NO_CHAT_TEMPLATE, CHAT_TEMPLATE_FAILED.
 */
export async function renderChat(
  model: ModelHandle,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions,
): Promise<RenderedChat> {
  checkMessages(messages);
  checkKeys('chat template options', options, templateKeys);
  checkString('template', options.template);
  if (options.template === '') throw invalidArgument('template', 'a Jinja template', '');
  checkBoolean('addGenerationPrompt', options.addGenerationPrompt);
  checkBoolean('enableThinking', options.enableThinking);
  checkString('beginOfSequence', options.beginOfSequence);
  checkString('endOfSequence', options.endOfSequence);
  const plain = messages.map(({ role, content }) => ({ role, content }));
  return getAddon().applyChatTemplate(model, JSON.stringify(plain), {
    ...options,
    variables: toJsonVariables(options.variables),
  });
}
