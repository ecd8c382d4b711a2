import { computed, signal } from '@preact/signals';
import type { AnswerState } from '../api/answer-reader.js';
import { ApiFailure } from '../api/api-failure.js';
import { type ChatSettings, toChatRequest } from '../api/chat-request.js';
import { streamAnswer } from '../api/stream-answer.js';
import { appendMessage, pathTo, updateMessage } from '../conversation/tree.js';
import type { AnswerFailure, Message } from '../conversation/types.js';
import { t } from '../i18n/i18n.js';
import { changeConversation, current, randomId, saveConversation } from './conversations.js';
import { FrameThrottle } from './frame-throttle.js';
import { announcement } from './notices.js';
import { apiKey, noteFailure } from './server.js';
import { settings } from './settings.js';

/** An answer that is being written. */
interface Running {
  readonly messageId: string;
  readonly abort: AbortController;
}

/** Answers that are being written, by conversation: one each. */
export const running = signal<ReadonlyMap<string, Running>>(new Map());
/** The one of the conversation that is shown. */
export const runningHere = computed(() => running.value.get(current.value.id));
/** How far the answers have come that are being written, by message. */
export const progress = signal<ReadonlyMap<string, AnswerState>>(new Map());

const saveEveryMs = 3000;

/** Asks something, after the message that is shown last or as another version of one. */
export function ask(text: string, parent: string | undefined): void {
  const id = randomId();
  const conversationId = current.peek().id;
  if (running.peek().has(conversationId)) return;
  changeConversation(conversationId, (before) =>
    appendMessage(before, {
      id,
      role: 'user',
      text,
      createdMs: Date.now(),
      ...(parent !== undefined && { parent }),
    }),
  );
  answer(id);
}

/** Has a message answered, once more if it was answered before. */
export function answer(questionId: string): void {
  const conversation = current.peek();
  if (running.peek().has(conversation.id)) return;
  const asked = settings.peek();
  const message = newAnswer(questionId, asked);
  const body = toChatRequest(asked, pathTo(conversation, questionId));
  changeConversation(conversation.id, (before) => appendMessage(before, message));
  void run(conversation.id, message.id, body);
}

function newAnswer(parent: string, { model, format }: ChatSettings): Omit<Message, 'children' | 'selected'> {
  return {
    id: randomId(),
    parent,
    role: 'assistant',
    text: '',
    createdMs: Date.now(),
    ...(model !== undefined && { model }),
    ...(format !== 'text' && { isJson: true }),
  };
}

/** Stops the answer of a conversation, or of the one that is shown; what has come of it stays. */
export function stop(conversationId: string = current.peek().id): void {
  running.peek().get(conversationId)?.abort.abort();
}

async function run(conversationId: string, messageId: string, body: Record<string, unknown>): Promise<void> {
  const abort = new AbortController();
  running.value = new Map(running.peek()).set(conversationId, { messageId, abort });
  announcement.value = t('answering');
  let read: () => AnswerState = () => ({ text: '', reasoning: '', figures: {} });
  const throttle = new FrameThrottle(() => {
    progress.value = new Map(progress.peek()).set(messageId, read());
  });
  const put = (change: Partial<Message>) =>
    changeConversation(conversationId, (before) => updateMessage(before, messageId, change));
  // A page that is closed in the middle finds again what had come.
  const saver = setInterval(() => {
    put(toMessageFields(read()));
    void saveConversation(conversationId, false);
  }, saveEveryMs);
  try {
    await saveConversation(conversationId, false);
    const state = await streamAnswer({
      body,
      key: apiKey.peek(),
      signal: abort.signal,
      onProgress: (next) => {
        read = next;
        throttle.schedule();
      },
    });
    put(toMessageFields(state));
    announcement.value = t('answered', { count: state.figures.completionTokens ?? 0 });
  } catch (error) {
    const isStopped = abort.signal.aborted;
    put({
      ...toMessageFields(read()),
      end: isStopped ? 'stopped' : 'failed',
      ...(!isStopped && failed(error)),
    });
    announcement.value = t(isStopped ? 'stopped' : 'answerFailed');
  } finally {
    clearInterval(saver);
    throttle.cancel();
    forget(conversationId, messageId);
    await saveConversation(conversationId);
  }
}

function forget(conversationId: string, messageId: string): void {
  const runs = new Map(running.peek());
  runs.delete(conversationId);
  running.value = runs;
  const states = new Map(progress.peek());
  states.delete(messageId);
  progress.value = states;
}

function toMessageFields({
  text,
  reasoning,
  reasoningMs,
  model,
  end,
  figures,
}: AnswerState): Partial<Message> {
  return {
    text,
    figures,
    ...(reasoning !== '' && { reasoning }),
    ...(reasoningMs !== undefined && { reasoningMs }),
    ...(model !== undefined && { model }),
    ...(end !== undefined && { end }),
  };
}

function failed(error: unknown): { failure: AnswerFailure } {
  noteFailure(error);
  if (!(error instanceof ApiFailure))
    return { failure: { message: error instanceof Error ? error.message : '' } };
  const { message, code, status, retryAfterSeconds } = error;
  const hint = retryAfterSeconds === undefined ? '' : ` ${t('retryAfter', { count: retryAfterSeconds })}`;
  const known = status === 0 ? t(code === 'connection_lost' ? 'connectionLost' : 'unreachable') : message;
  return { failure: { message: `${known}${hint}`, status, ...(code !== undefined && { code }) } };
}
