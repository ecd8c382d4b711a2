/** The parts that names of models on the hub usually have, such as `Qwen/Qwen2.5-0.5B-Instruct`. */
export interface NameParts {
  readonly name?: string | undefined;
  readonly organization?: string | undefined;
  readonly basename?: string | undefined;
  readonly finetune?: string | undefined;
  readonly version?: string | undefined;
  readonly sizeLabel?: string | undefined;
}

type PartKind = 'basename' | 'size' | 'finetune' | 'version' | 'type';

interface Part {
  text: string;
  readonly kinds: Set<PartKind>;
}

/**
 * Takes a name apart. Source: `Metadata.get_model_id_components` in gguf-py/gguf/metadata.py of the pinned llama.cpp.
 * @param parameterCount of the model; a size in the name that is far from it is none.
 */
export function nameParts(id: string, parameterCount: number): NameParts {
  if (id.includes(' ')) return { name: id };
  const slash = id.indexOf('/');
  const name = slash < 0 ? id : id.slice(slash + 1);
  const organization = slash > 0 && !id.startsWith('.') ? id.slice(0, slash) : undefined;
  const parts: Part[] = name
    .split('-')
    .filter((text) => text !== '')
    .map((text) => ({ text, kinds: new Set<PartKind>() }));
  parts.forEach((part, index) => {
    annotate(part, index, parameterCount);
  });
  keepNumberedSizes(parts);
  findBasename(parts);
  const join = (kind: PartKind, filter: (part: Part) => boolean = () => true) =>
    [...parts].filter((part) => part.kinds.has(kind) && filter(part)).map(({ text }) => text);
  const basename = joined(join('basename'));
  const sizeLabel = joined([...new Set(join('size'))]);
  const finetune = joined(join('finetune'));
  const version = joined(join('version', ({ kinds }) => !kinds.has('basename')));
  const isAmbiguous = sizeLabel === undefined && finetune === undefined && version === undefined;
  return { name, organization, basename: isAmbiguous ? undefined : basename, finetune, version, sizeLabel };
}

function joined(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : texts.join('-');
}

function annotate(part: Part, index: number, parameterCount: number): void {
  const { text, kinds } = part;
  if (/^(v|iter)?\d+([.]\d+)*$/i.test(text)) {
    kinds.add('version');
  } else if (/^(i?q\d(_\w)*|b?fp?(16|32))$/i.test(text)) {
    kinds.add('type');
    part.text = text.toUpperCase();
  } else if (
    index > 0 &&
    /^(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)$/i.test(text)
  ) {
    annotateSize(part, parameterCount);
  } else if (index > 0 && /^(chat|instruct|vision|lora)$/i.test(text)) {
    kinds.add('finetune');
  }
}

function annotateSize(part: Part, parameterCount: number): void {
  let text = part.text.replaceAll('_', '.');
  // As in bloom-7b1.
  if (/\d$/.test(text)) text = `${text.slice(0, -2)}.${text.at(-1)}${text.at(-2)}`;
  if (/\d[kmbt]$/.test(text)) text = text.slice(0, -1) + text.slice(-1).toUpperCase();
  const size = Number(text.slice(0, -1)) * 1000 ** ' KMBT'.indexOf(text.slice(-1));
  // Otherwise it is the length of the context.
  const isFarOff = Math.abs(size - parameterCount) > Math.floor((7 * parameterCount) / 8);
  if (parameterCount > 0 && Number.isFinite(size) && text.length > 1 && isFarOff) {
    part.kinds.add('finetune');
    text = text.slice(0, -1) + text.slice(-1).toLowerCase();
  }
  if (part.kinds.size === 0) part.kinds.add('size');
  part.text = text;
}

/** Words such as `mini` are sizes only where there is no number. */
function keepNumberedSizes(parts: readonly Part[]): void {
  const sizes = parts.filter(({ kinds }) => kinds.has('size'));
  if (!sizes.some(({ text }) => /\d/.test(text))) return;
  for (const { text, kinds } of sizes) {
    if (/^\p{L}+$/u.test(text)) kinds.delete('size');
  }
}

function findBasename(parts: readonly Part[]): void {
  let isAtStart = true;
  for (const { text, kinds } of parts) {
    if (isAtStart && ((kinds.size === 0 && /^\p{L}/u.test(text)) || kinds.has('version'))) {
      kinds.add('basename');
      continue;
    }
    isAtStart = false;
    if (kinds.size === 0) kinds.add('finetune');
  }
  for (const { kinds } of [...parts].reverse()) {
    if (!kinds.has('basename') || kinds.size < 2) break;
    kinds.delete('basename');
  }
}

/** `qwen2.5-instruct` as a title: `Qwen2.5 Instruct`. */
export function titleOf(id: string): string {
  return id
    .trim()
    .replaceAll('-', ' ')
    .split(/\s+/)
    .map((word) => {
      const isLowercase = word === word.toLowerCase() && word !== word.toUpperCase();
      return isLowercase && !/^(v\d+(?:\.\d+)*|\d.*)$/.test(word) ? capitalize(word) : word;
    })
    .join(' ');
}

function capitalize(word: string): string {
  return word.replace(/\p{L}+/gu, (letters) => letters.charAt(0).toUpperCase() + letters.slice(1));
}

/** A number of parameters in two digits or more: `135M`, `1.7B`. */
export function sizeLabelOf(parameterCount: number): string {
  const [scale, suffix] = (
    [
      [1e12, 'T'],
      [1e9, 'B'],
      [1e6, 'M'],
      [1e3, 'K'],
    ] as const
  ).find(([unit]) => parameterCount > unit) ?? [1e3, 'K'];
  const scaled = parameterCount * (1 / scale);
  const digits = String(Math.round(scaled)).replace(/^0+/, '').length;
  return scaled.toFixed(Math.max(2 - digits, 0)) + suffix;
}
