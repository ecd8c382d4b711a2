import { readSchema } from '../api/chat-request.js';
import { t } from '../i18n/i18n.js';
import { changeSettings, settings } from '../state/settings.js';
import { Choice } from './choice.js';

/** Tidies a schema, if it can be read. */
function tidy(text: string): string {
  const read = readSchema(text);
  return 'schema' in read ? JSON.stringify(read.schema, undefined, 2) : text;
}

/** Whether answers are text or JSON, and which JSON. */
export function FormatSettings() {
  const { format, schema } = settings.value;
  const read = readSchema(schema);
  const problem = 'problem' in read ? read.problem : undefined;
  return (
    <section>
      <h3>{t('answerFormat')}</h3>
      <Choice
        label={t('answersAre')}
        value={format}
        options={[
          ['text', t('formatText')],
          ['json', 'JSON'],
          ['schema', t('formatSchemaShort')],
        ]}
        onChoose={(value) => changeSettings({ format: value })}
      />
      {format === 'schema' && (
        <div class="field">
          <label for="schema">{t('schema')}</label>
          <textarea
            id="schema"
            class="mono"
            rows={12}
            spellcheck={false}
            aria-invalid={problem !== undefined}
            aria-describedby="schema-help"
            value={schema}
            onInput={(event) => changeSettings({ schema: event.currentTarget.value })}
            onBlur={(event) => changeSettings({ schema: tidy(event.currentTarget.value) })}
          />
          <p id="schema-help" class={problem === undefined ? 'help' : 'problem'}>
            {problem === undefined ? t('schemaHelp') : t('schemaWrong', { problem })}
          </p>
        </div>
      )}
    </section>
  );
}
