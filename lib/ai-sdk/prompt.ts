import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4ToolResultPart,
  SharedV4Warning,
} from '@ai-sdk/provider';
import { type ChatContent, ChatError, type ChatMessage, type TextContentPart } from '../index.js';

type Assistant = Extract<LanguageModelV4Message, { role: 'assistant' }>;

/** Takes warnings for what of a call has no effect. */
export type Warn = (warning: SharedV4Warning) => void;

function unsupportedFile(mediaType: string): ChatError {
  const message = `Expected text, or files of a text type, in a message; received a file of type ${mediaType}. Images and audio are not supported yet.`;
  return new ChatError('CONTENT_UNSUPPORTED', message, { details: { mediaType } });
}

function textOfFile({ data, mediaType }: LanguageModelV4FilePart): string {
  if (!mediaType.startsWith('text/')) throw unsupportedFile(mediaType);
  if (data.type === 'text') return data.text;
  if (data.type !== 'data') throw unsupportedFile(mediaType);
  return Buffer.from(data.data as string, typeof data.data === 'string' ? 'base64' : undefined).toString(
    'utf8',
  );
}

/** One text as a string, since some templates take nothing else. */
function toContent(texts: readonly string[]): ChatContent {
  const [only = '', ...others] = texts;
  if (others.length === 0) return only;
  return texts.map((text): TextContentPart => ({ type: 'text', text }));
}

function toAssistantMessage({ content }: Assistant, warn: Warn): ChatMessage {
  const texts: string[] = [];
  let reasoning = '';
  const toolCalls = [];
  for (const part of content) {
    if (part.type === 'text') texts.push(part.text);
    else if (part.type === 'file') texts.push(textOfFile(part));
    else if (part.type === 'reasoning') reasoning += part.text;
    else if (part.type === 'tool-call' && part.providerExecuted !== true)
      toolCalls.push({ id: part.toolCallId, name: part.toolName, arguments: part.input });
    else warn({ type: 'unsupported', feature: `parts of type ${part.type} in a message of the assistant` });
  }
  return {
    role: 'assistant',
    content: texts.join(''),
    ...(reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

function textOfOutput({ output }: LanguageModelV4ToolResultPart): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value;
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value);
    case 'execution-denied':
      return output.reason ?? 'The call was denied.';
    case 'content':
      return output.value
        .map((part) => {
          if (part.type === 'text') return part.text;
          if (part.type === 'file') return textOfFile(part);
          return '';
        })
        .join('\n');
  }
}

function toMessages(message: LanguageModelV4Message, warn: Warn): ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }];
    case 'user': {
      const texts = message.content.map((part) => (part.type === 'text' ? part.text : textOfFile(part)));
      return [{ role: 'user', content: toContent(texts) }];
    }
    case 'assistant':
      return [toAssistantMessage(message, warn)];
    case 'tool':
      // A response to a request for approval has a result beside it, or the call is executed now.
      return message.content
        .filter((part) => part.type === 'tool-result')
        .map((part) => ({
          role: 'tool',
          content: textOfOutput(part),
          toolCallId: part.toolCallId,
          name: part.toolName,
        }));
  }
}

/**
 * The messages of a prompt of the AI SDK.
 * @throws ChatError CONTENT_UNSUPPORTED for files that are not text.
 */
export function toChatMessages(prompt: LanguageModelV4Prompt, warn: Warn): ChatMessage[] {
  return prompt.flatMap((message) => toMessages(message, warn));
}
