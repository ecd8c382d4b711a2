import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Values of the front matter of a README.md: texts and lists of texts. */
export type ModelCard = Readonly<Record<string, string | readonly string[]>>;

/**
 * Reads the front matter of a model card. It is YAML, of which cards use little: texts, and lists of them; whatever is
 * nested deeper is passed over.
 */
export async function readModelCard(folder: string): Promise<ModelCard> {
  const content = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '');
  const [first, ...lines] = content.replace(/^\uFEFF/, '').split(/\r?\n/);
  const end = lines.indexOf('---');
  if (first !== '---' || end < 0) return {};
  return readEntries(lines.slice(0, end));
}

function readEntries(lines: readonly string[]): ModelCard {
  const card: Record<string, string | string[]> = {};
  let key: string | undefined;
  for (const line of lines) {
    const [, newKey, value = ''] = /^([A-Za-z_][\w-]*):(?:\s+(.*))?$/.exec(line) ?? [];
    if (newKey !== undefined) {
      key = newKey;
      const entry = readValue(value.trim());
      if (entry !== undefined) card[newKey] = entry;
      continue;
    }
    const [, item] = /^\s*- (.*)$/.exec(line) ?? [];
    if (item === undefined || key === undefined || /^[\w-]+:(\s|$)/.test(item)) continue;
    const list = card[key] ?? [];
    const text = readScalar(item.trim());
    if (Array.isArray(list) && text !== undefined) card[key] = [...list, text];
  }
  return card;
}

function readValue(value: string): string | string[] | undefined {
  const [, items] = /^\[(.*)\]$/.exec(value) ?? [];
  if (items === undefined) return readScalar(value);
  return items
    .split(',')
    .map((item) => readScalar(item.trim()))
    .filter((item) => item !== undefined);
}

/** Undefined for nothing, and for what begins another form of YAML. */
function readScalar(value: string): string | undefined {
  const [, double] = /^"((?:[^"\\]|\\.)*)"/.exec(value) ?? [];
  if (double !== undefined) return double.replace(/\\(.)/g, '$1');
  const [, single] = /^'((?:[^']|'')*)'/.exec(value) ?? [];
  if (single !== undefined) return single.replaceAll("''", "'");
  const plain = value.replace(/\s+#.*$/, '').trim();
  return plain === '' || plain === '~' || plain === 'null' || /^[|>&*{]/.test(plain) ? undefined : plain;
}
