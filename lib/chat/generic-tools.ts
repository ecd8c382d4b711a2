import { textOfContent } from './check-messages.js';
import type { Json } from './native-messages.js';
import type { ChatMessage, ToolCall } from './types.js';

/**
 * A form of calls for models whose template has none: llama.cpp derives a parser and a grammar from this template. The
 * prompt itself is rendered with the model's own, in which {@link spellOutTools} says in words what this one would.
 */
export const genericTemplate = `{%- if tools %}{{ '<|im_start|>system\\n' + (tools | tojson) + '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
{%- if message.tool_calls %}
{%- for tool_call in message.tool_calls %}
{{- '<tool_call>\\n{"name": "' + tool_call.function.name + '", "arguments": ' + (tool_call.function.arguments | tojson) + '}\\n</tool_call>' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

function instructions(tools: readonly Json[]): string {
  return [
    'You can call functions. To call one, write this, with arguments that fit its schema:',
    '<tool_call>\n{"name": "the name", "arguments": {"an argument": "its value"}}\n</tool_call>',
    'The result comes between <tool_response> and </tool_response>. The functions are:',
    ...tools.map((tool) => JSON.stringify((tool as { function: Json }).function)),
  ].join('\n');
}

function writtenCall({ name, arguments: input }: ToolCall): string {
  return `<tool_call>\n${JSON.stringify({ name, arguments: input })}\n</tool_call>`;
}

/** A message as text alone: calls as the model wrote them, results as a message of the user. */
function spellOut(message: ChatMessage): ChatMessage {
  const text = textOfContent(message.content);
  if (message.role === 'tool') {
    return { role: 'user', content: `<tool_response>\n${text}\n</tool_response>` };
  }
  if (message.toolCalls === undefined) return message;
  const { toolCalls, ...others } = message;
  const content = [text, ...toolCalls.map(writtenCall)].filter((part) => part !== '').join('\n');
  return { ...others, content };
}

/** The same conversation for a template that knows neither tools, calls nor results. */
export function spellOutTools(messages: readonly ChatMessage[], tools: readonly Json[]): ChatMessage[] {
  const [first] = messages;
  const own = first?.role === 'system' ? `${textOfContent(first.content)}\n\n` : '';
  const others = first?.role === 'system' ? messages.slice(1) : messages;
  const spelled: ChatMessage[] = [{ role: 'system', content: own + instructions(tools) }];
  for (const message of others.map(spellOut)) {
    const last = spelled.at(-1);
    // Several results in a row are one message: templates want the roles to alternate.
    if (last?.role === 'user' && message.role === 'user') {
      const content = `${textOfContent(last.content)}\n${textOfContent(message.content)}`;
      spelled.splice(-1, 1, { ...last, content });
    } else {
      spelled.push(message);
    }
  }
  return spelled;
}
