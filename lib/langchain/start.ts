import type { BaseMessage } from '@langchain/core/messages';
import { instruct } from '../ecosystem/instruct.js';
import type { ChatFace } from '../ecosystem/model-face.js';
import { type DroppedKeyword, describeSchema, withWidenedSchema } from '../ecosystem/widen-schema.js';
import type { ChatAnswer } from '../index.js';
import { toChatMessages } from './messages.js';
import { type ChatLlamaNativeCallOptions, pickAnswerOptions } from './options.js';
import { toToolOptions } from './tools.js';

/** An answer that has begun, and what of its schema no grammar can hold it to. */
export interface StartedAnswer {
  readonly answer: ChatAnswer;
  readonly dropped: readonly DroppedKeyword[];
}

/**
 * Starts an answer to messages of LangChain.
 * @throws what {@link Model.chat} throws at once.
 */
export function startAnswer(
  model: ChatFace,
  given: readonly BaseMessage[],
  options: ChatLlamaNativeCallOptions,
): StartedAnswer {
  const { jsonSchema, ...answerOptions } = pickAnswerOptions(options);
  const { stop, signal } = options;
  const messages = toChatMessages(given);
  const all = {
    ...answerOptions,
    ...toToolOptions(options.tools, options.tool_choice),
    ...(stop?.length && { stop }),
    ...(signal && { signal }),
  };
  if (jsonSchema === undefined) return { answer: model.chat(messages, all), dropped: [] };
  const asked = options.describeSchema === true ? instruct(messages, describeSchema(jsonSchema)) : messages;
  const { result, dropped } = withWidenedSchema(jsonSchema, (schema) =>
    model.chat(asked, { ...all, jsonSchema: schema }),
  );
  return { answer: result, dropped };
}
