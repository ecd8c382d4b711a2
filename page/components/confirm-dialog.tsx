import { signal } from '@preact/signals';
import { t } from '../i18n/i18n.js';
import { Dialog } from './dialog.js';

interface Question {
  readonly question: string;
  /** What the button says that does it. */
  readonly action: string;
}

const asked = signal<(Question & { readonly settle: (isMeant: boolean) => void }) | undefined>(undefined);

/** Asks whether something that cannot be taken back is meant. */
export function confirm(question: Question): Promise<boolean> {
  asked.peek()?.settle(false);
  return new Promise((resolve) => {
    asked.value = {
      ...question,
      settle: (isMeant) => {
        asked.value = undefined;
        resolve(isMeant);
      },
    };
  });
}

/** The place of the question of {@link confirm}. */
export function ConfirmDialog() {
  const question = asked.value;
  if (question === undefined) return null;
  return (
    <Dialog title={question.question} onClose={() => question.settle(false)}>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={() => question.settle(false)}>
          {t('cancel')}
        </button>
        {/* biome-ignore lint/a11y/noAutofocus: a dialog puts the keyboard where it is used */}
        <button type="button" class="button danger" autoFocus onClick={() => question.settle(true)}>
          {question.action}
        </button>
      </div>
    </Dialog>
  );
}
