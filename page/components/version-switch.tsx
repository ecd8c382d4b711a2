import { selectVersion, versionsOf } from '../conversation/tree.js';
import { t } from '../i18n/i18n.js';
import { changeConversation, current, saveConversation } from '../state/conversations.js';
import { IconButton } from './icon-button.js';

/** Shows the version of a message that is so many places before or after it. */
export function stepVersion(id: string, step: number): void {
  const { ids, index } = versionsOf(current.peek(), id);
  const next = ids[index + step];
  if (next === undefined) return;
  changeConversation(current.peek().id, (before) => selectVersion(before, next));
  void saveConversation(current.peek().id, false);
}

/** Switches between the versions of a message, where there are several. */
export function VersionSwitch({ id }: { id: string }) {
  const { ids, index } = versionsOf(current.value, id);
  if (ids.length < 2) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div class="versions" role="group" aria-label={t('versions')}>
      <IconButton
        icon="left"
        label={t('versionBefore')}
        disabled={index === 0}
        onClick={() => stepVersion(id, -1)}
      />
      <span aria-live="polite">
        {index + 1}/{ids.length}
      </span>
      <IconButton
        icon="right"
        label={t('versionAfter')}
        disabled={index === ids.length - 1}
        onClick={() => stepVersion(id, 1)}
      />
    </div>
  );
}
