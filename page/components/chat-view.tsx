import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { current, path } from '../state/conversations.js';
import { runningHere } from '../state/generations.js';
import { AssistantMessage } from './assistant-message.js';
import { Composer } from './composer.js';
import { IconButton } from './icon-button.js';
import { UserMessage } from './user-message.js';
import { Welcome } from './welcome.js';

function Messages() {
  const { id } = current.value;
  return (
    <div class="messages">
      {path.value.map((message) =>
        message.role === 'user' ? (
          <UserMessage key={message.id} message={message} />
        ) : (
          <AssistantMessage key={message.id} message={message} conversationId={id} />
        ),
      )}
    </div>
  );
}

/** How far from the end one may be and still be taken along, in pixels. */
const nearEnd = 48;

function distanceToEnd(element: HTMLElement): number {
  return element.scrollHeight - element.scrollTop - element.clientHeight;
}

/** Scrolls along with an answer until the reader scrolls up, and again when they come back to the end. */
export function ChatView() {
  const frame = useRef<HTMLDivElement>(null);
  const isFollowing = useSignal(true);
  const lastTop = useRef(0);
  const isEmpty = path.value.length === 0;
  const { id } = current.value;
  const toEnd = () => frame.current?.scrollTo({ top: frame.current.scrollHeight });

  // Runs for another conversation and for each new answer.
  useLayoutEffect(() => {
    isFollowing.value = true;
    toEnd();
  }, [id, runningHere.value?.messageId]);

  // The content is another one when it has become empty or not.
  useEffect(() => {
    const content = frame.current?.firstElementChild;
    if (!content) return;
    const observer = new ResizeObserver(() => {
      if (isFollowing.peek()) toEnd();
    });
    observer.observe(content);
    return () => observer.disconnect();
  }, [isEmpty]);

  const onScroll = () => {
    const element = frame.current;
    if (element === null) return;
    const isUp = element.scrollTop < lastTop.current - 1;
    lastTop.current = element.scrollTop;
    if (distanceToEnd(element) < nearEnd) isFollowing.value = true;
    else if (isUp) isFollowing.value = false;
  };
  return (
    <section class="chat" aria-label={t('chat')}>
      <div class="scroll-frame" ref={frame} onScroll={onScroll}>
        {isEmpty ? <Welcome /> : <Messages />}
      </div>
      <div class="composer-place">
        {!isFollowing.value && !isEmpty && (
          <IconButton
            class="to-end"
            icon="down"
            label={t('toEnd')}
            onClick={() => {
              isFollowing.value = true;
              toEnd();
            }}
          />
        )}
        <Composer />
      </div>
    </section>
  );
}
