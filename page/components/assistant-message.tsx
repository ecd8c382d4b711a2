import type { AnswerState } from '../api/answer-reader.js';
import type { Message } from '../conversation/types.js';
import { t } from '../i18n/i18n.js';
import { answer, progress, running, runningHere } from '../state/generations.js';
import { CodeBlock } from './code-block.js';
import { CopyButton } from './copy-button.js';
import { FiguresLine } from './figures-line.js';
import { IconButton } from './icon-button.js';
import { Icon } from './icons.js';
import { Markdown } from './markdown.js';
import { Reasoning } from './reasoning.js';
import { removeVersion } from './remove-version.js';
import { VersionSwitch } from './version-switch.js';

type Shown = Pick<Message, 'text' | 'reasoning' | 'reasoningMs' | 'figures' | 'end'>;

function toShown(message: Message, state: AnswerState | undefined): Shown {
  if (state === undefined) return message;
  return { ...state, reasoning: state.reasoning };
}

/** JSON with line breaks, where it is whole. */
function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

function AnswerText({ text, isJson, isGrowing }: { text: string; isJson: boolean; isGrowing: boolean }) {
  if (!isJson) return <Markdown text={text} isGrowing={isGrowing} />;
  return <CodeBlock code={isGrowing ? text : prettyJson(text)} language="json" isFinished={!isGrowing} />;
}

/** Why an answer is not whole, if it is not. */
function EndNote({ message }: { message: Message }) {
  const { end, failure } = message;
  if (end === 'failed') {
    return (
      <div class="failure" role="alert">
        <Icon name="warning" />
        <div>
          <p>{failure?.message || t('answerFailed')}</p>
          {failure?.code !== undefined && <code>{failure.code}</code>}
        </div>
        {message.parent !== undefined && (
          <button
            type="button"
            class="button"
            onClick={() => message.parent !== undefined && answer(message.parent)}
          >
            {t('tryAgain')}
          </button>
        )}
      </div>
    );
  }
  const note = end === 'length' ? t('endedByLength') : end === 'stopped' ? t('stopped') : t('interrupted');
  return end === 'complete' ? null : <p class="end-note">{note}</p>;
}

function Actions({ message, text }: { message: Message; text: string }) {
  const { parent } = message;
  const isBusy = runningHere.value !== undefined;
  return (
    <div class="message-actions">
      <VersionSwitch id={message.id} />
      <CopyButton text={() => text} label={t('copyAnswer')} />
      {parent !== undefined && (
        <IconButton icon="refresh" label={t('regenerate')} disabled={isBusy} onClick={() => answer(parent)} />
      )}
      <IconButton
        icon="trash"
        label={t('deleteMessage')}
        disabled={isBusy}
        onClick={() => removeVersion(message.id)}
      />
    </div>
  );
}

/** An answer of a model, which may still be coming. */
export function AssistantMessage({ message, conversationId }: { message: Message; conversationId: string }) {
  const isGrowing = running.value.get(conversationId)?.messageId === message.id;
  const { text, reasoning, reasoningMs, figures } = toShown(
    message,
    isGrowing ? progress.value.get(message.id) : undefined,
  );
  const isReasoning = isGrowing && text === '' && Boolean(reasoning);
  const isWaiting = isGrowing && text === '' && !reasoning;
  return (
    <article class="message assistant" aria-label={t('answerOf', { model: message.model ?? t('model') })}>
      <header class="message-head">{message.model}</header>
      {reasoning && <Reasoning text={reasoning} durationMs={reasoningMs} isGrowing={isReasoning} />}
      {isWaiting && (
        <div class="waiting" aria-hidden="true">
          <i />
          <i />
          <i />
        </div>
      )}
      {text !== '' && <AnswerText text={text} isJson={message.isJson ?? false} isGrowing={isGrowing} />}
      {!isGrowing && <EndNote message={message} />}
      <footer class="message-foot">
        {!isGrowing && <Actions message={message} text={text} />}
        {figures !== undefined && <FiguresLine figures={figures} isGrowing={isGrowing} />}
      </footer>
    </article>
  );
}
