import { useEffect, useId, useState } from 'preact/hooks';
import { type NumberSetting, readNumberSetting, settingBounds } from '../api/chat-request.js';
import { type MessageKey, t } from '../i18n/i18n.js';
import { changeSettings, settings } from '../state/settings.js';

interface NumberFieldProps {
  name: NumberSetting;
  label: MessageKey;
  help: MessageKey;
  /** Shows a slider as well, which stands there as long as nothing is set. */
  slider?: number;
}

/** A number that is the server's own as long as the field is empty. */
export function NumberField({ name, label, help, slider }: NumberFieldProps) {
  const id = useId();
  const value = settings.value[name];
  const { min, max, step } = settingBounds[name];
  const [text, setText] = useState(String(value ?? ''));
  useEffect(() => {
    // The slider, or a reset, has changed it; what is typed and means the same stays as it is.
    setText((typed) => (readNumberSetting(name, typed) === value ? typed : String(value ?? '')));
  }, [name, value]);
  const isWrong = text.trim() !== '' && readNumberSetting(name, text) === undefined;
  const type = (typed: string) => {
    setText(typed);
    if (typed.trim() === '' || readNumberSetting(name, typed) !== undefined) {
      changeSettings({ [name]: readNumberSetting(name, typed) });
    }
  };
  return (
    <div class="field number-field">
      <label for={id} title={t(help)}>
        {t(label)}
      </label>
      <input
        id={id}
        inputMode="decimal"
        placeholder={t('automatic')}
        aria-describedby={`${id}-help`}
        aria-invalid={isWrong}
        value={text}
        onInput={(event) => type(event.currentTarget.value)}
      />
      {slider !== undefined && (
        <input
          type="range"
          class={value === undefined ? 'is-unset' : ''}
          aria-label={t(label)}
          {...{ min, max, step }}
          value={value ?? slider}
          onInput={(event) => changeSettings({ [name]: Number(event.currentTarget.value) })}
        />
      )}
      <p id={`${id}-help`} class={isWrong ? 'problem' : 'help'}>
        {isWrong ? t('bounds', { min, max }) : t(help)}
      </p>
    </div>
  );
}
