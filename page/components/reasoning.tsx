import { useState } from 'preact/hooks';
import { formatSeconds } from '../i18n/format.js';
import { t } from '../i18n/i18n.js';
import { Icon } from './icons.js';
import { Markdown } from './markdown.js';

interface ReasoningProps {
  text: string;
  /** How long the model reasoned, as far as it is known. */
  durationMs: number | undefined;
  isGrowing: boolean;
}

/** What the model thought before it answered, folded until one asks for it. */
export function Reasoning({ text, durationMs, isGrowing }: ReasoningProps) {
  const [isOpen, setOpen] = useState(false);
  const label = isGrowing
    ? t('reasoning')
    : durationMs === undefined
      ? t('reasoned')
      : t('reasonedFor', { time: formatSeconds(durationMs) });
  return (
    <div class={`reasoning ${isGrowing ? 'is-growing' : ''}`}>
      <button type="button" class="reasoning-head" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Icon name="bulb" />
        <span>{label}</span>
        <Icon name="chevron" />
      </button>
      {isOpen && (
        <div class="reasoning-text">
          <Markdown text={text} isGrowing={isGrowing} />
        </div>
      )}
    </div>
  );
}
