import type { ChatMessage } from '../index.js';

/** Adds an instruction to the system prompt, or makes it one where there is none. */
export function instruct(messages: readonly ChatMessage[], instruction: string): ChatMessage[] {
  const [first, ...others] = messages;
  if (first?.role !== 'system') return [{ role: 'system', content: instruction }, ...messages];
  const content =
    typeof first.content === 'string'
      ? `${first.content}\n\n${instruction}`
      : [...first.content, { type: 'text' as const, text: instruction }];
  return [{ ...first, content }, ...others];
}
