import type { AnswerFigures } from '../conversation/types.js';
import { formatCount, formatSeconds, formatSpeed } from '../i18n/format.js';
import { t } from '../i18n/i18n.js';

/** Tokens and speed of an answer, live while it comes. */
export function FiguresLine({ figures, isGrowing }: { figures: AnswerFigures; isGrowing: boolean }) {
  const {
    promptTokens,
    cachedTokens,
    completionTokens = 0,
    firstTokenMs,
    totalMs,
    tokensPerSecond,
  } = figures;
  if (isGrowing && firstTokenMs === undefined) {
    return <p class="figures">{t('waitingFor', { time: formatSeconds(totalMs ?? 0) })}</p>;
  }
  const parts = [
    tokensPerSecond !== undefined && (
      <strong>{t('tokensPerSecond', { speed: formatSpeed(tokensPerSecond) })}</strong>
    ),
    completionTokens > 0 && t('tokens', { count: formatCount(completionTokens) }),
    firstTokenMs !== undefined && t('firstToken', { time: formatSeconds(firstTokenMs) }),
    promptTokens !== undefined &&
      (cachedTokens !== undefined && cachedTokens > 0
        ? t('promptCached', { count: formatCount(promptTokens), cached: formatCount(cachedTokens) })
        : t('prompt', { count: formatCount(promptTokens) })),
  ].filter((part) => part !== false);
  return (
    <p class="figures">
      {parts.map((part, index) => (
        // The order never changes.
        <span key={index}>{part}</span>
      ))}
    </p>
  );
}
