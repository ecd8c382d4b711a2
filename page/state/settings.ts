import { computed, effect, signal } from '@preact/signals';
import {
  type ChatSettings,
  type NumberSetting,
  readNumberSetting,
  readSchema,
  settingBounds,
} from '../api/chat-request.js';
import { keep, readKept } from '../storage/kept-value.js';

/** Colours of the page; `system` follows the browser. */
export type Theme = 'system' | 'light' | 'dark';

const plainSettings: ChatSettings = { systemPrompt: '', format: 'text', schema: exampleSchema() };

function exampleSchema(): string {
  const schema = {
    type: 'object',
    properties: { title: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
    required: ['title', 'tags'],
    additionalProperties: false,
  };
  return JSON.stringify(schema, undefined, 2);
}

/** Settings as they were kept; whatever in them does not fit any more is left out. */
function toSettings(kept: unknown): ChatSettings {
  if (typeof kept !== 'object' || kept === null) return plainSettings;
  const found = kept as Record<string, unknown>;
  const numbers = Object.keys(settingBounds).flatMap((name) => {
    const value = readNumberSetting(name as NumberSetting, String(found[name] ?? ''));
    return value === undefined ? [] : [[name, value]];
  });
  const format = (['text', 'json', 'schema'] as const).find((known) => known === found.format);
  return {
    ...plainSettings,
    ...Object.fromEntries(numbers),
    ...(typeof found.model === 'string' && { model: found.model }),
    ...(typeof found.systemPrompt === 'string' && { systemPrompt: found.systemPrompt }),
    ...(typeof found.thinking === 'boolean' && { thinking: found.thinking }),
    ...(typeof found.schema === 'string' && { schema: found.schema }),
    ...(format !== undefined && { format }),
  };
}

/** What requests are made with. */
export const settings = signal<ChatSettings>(toSettings(readKept('settings')));

/** The colours that the user chose. */
export const theme = signal<Theme>(
  (['light', 'dark'] as const).find((known) => known === readKept('theme')) ?? 'system',
);

/** Changes some settings; undefined takes one back to what the server does by itself. */
export function changeSettings(
  change: { [Name in keyof ChatSettings]?: ChatSettings[Name] | undefined },
): void {
  const changed = Object.entries({ ...settings.value, ...change }).filter(([, value]) => value !== undefined);
  settings.value = Object.fromEntries(changed) as unknown as ChatSettings;
}

/** Takes the sampling back to what the server does by itself. */
export function resetSampling(): void {
  changeSettings(Object.fromEntries(Object.keys(settingBounds).map((name) => [name, undefined])));
}

/** Keeps the settings whenever they change, and colours the page. */
export function keepSettings(): void {
  effect(() => keep('settings', settings.value));
  effect(() => {
    keep('theme', theme.value === 'system' ? undefined : theme.value);
    if (theme.value === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  });
}

/** False while the answer's schema cannot be read, so that nothing is sent that does not hold to it. */
export const areSettingsRight = computed(
  () => settings.value.format !== 'schema' || 'schema' in readSchema(settings.value.schema),
);
