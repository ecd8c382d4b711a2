/** A container that has begun and not ended; it holds only children that are complete. */
interface OpenContainer {
  readonly value: unknown[] | Record<string, unknown>;
  /** Of an object: the name of the property whose value comes next. */
  key: string;
}

/** What the text may go on with. */
type State =
  | 'value'
  | 'first-item'
  | 'first-key'
  | 'key'
  | 'colon'
  | 'after-value'
  | 'string'
  | 'key-string'
  | 'scalar'
  | 'done';

const simpleEscapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

const missing = Symbol('missing');

/** As JSON.parse does it: `__proto__` is a name like others. */
function setProperty(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function withChild({ value, key }: OpenContainer, child: unknown): unknown {
  if (Array.isArray(value)) return child === missing ? [...value] : [...value, child];
  const copy = { ...value };
  if (child !== missing) setProperty(copy, key, child);
  return copy;
}

/**
 * Reads JSON text that arrives in pieces, each character once. Texts grow as they arrive; numbers, `true`, `false` and
 * `null` appear when they are complete, properties together with their value.
 */
export class PartialJsonParser {
  readonly #open: OpenContainer[] = [];
  #state: State = 'value';
  #root: unknown = missing;
  /** The text that is being read, without an escape or half of a surrogate pair at its end. */
  #text = '';
  /** An escape whose end has not arrived. */
  #escape = '';
  /** The first half of a surrogate pair that was written as an escape. */
  #highSurrogate = '';
  /** A number or a word. */
  #scalar = '';
  #changes = 0;

  /** Whether the value has ended. A number on its own ends with the text: see {@link end}. */
  get isComplete(): boolean {
    return this.#state === 'done';
  }

  /** Rises whenever {@link value} has become another one. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * The value so far; undefined before it has begun. Containers that are not complete are copied, so that a value once
   * given does not change; those that are complete are shared.
   */
  get value(): unknown {
    let value = this.#state === 'string' ? this.#text : this.#root;
    for (const container of this.#open.toReversed()) value = withChild(container, value);
    return value === missing ? undefined : value;
  }

  /** The items so far of an array that is the whole value, complete ones only. */
  get items(): readonly unknown[] {
    const outermost = this.#open[0]?.value ?? this.#root;
    return Array.isArray(outermost) ? outermost : [];
  }

  /** @throws SyntaxError for text that no JSON begins with. */
  push(text: string): void {
    let at = 0;
    while (at < text.length) {
      if (this.#state === 'string' || this.#state === 'key-string') at = this.#readString(text, at);
      else at = this.#readCharacter(text, at);
    }
  }

  /** Says that no more text comes, which ends a number. */
  end(): void {
    if (this.#state === 'scalar') this.#endScalar();
  }

  #fail(character: string): never {
    throw new SyntaxError(`Unexpected ${JSON.stringify(character)} in JSON`);
  }

  /** Outside of texts. */
  #readCharacter(text: string, at: number): number {
    const character = text[at] as string;
    if (this.#state === 'scalar') {
      if (/[-+.\w]/.test(character)) {
        this.#scalar += character;
        this.#endWord();
        return at + 1;
      }
      this.#endScalar();
    }
    if (!/[ \t\n\r]/.test(character)) this.#step(character);
    return at + 1;
  }

  #step(character: string): void {
    switch (this.#state) {
      case 'first-item':
      case 'value':
        if (character === ']' && this.#state === 'first-item') this.#close(']');
        else this.#beginValue(character);
        return;
      case 'first-key':
      case 'key':
        if (character === '}' && this.#state === 'first-key') this.#close('}');
        else if (character === '"') this.#beginString('key-string');
        else this.#fail(character);
        return;
      case 'colon':
        if (character !== ':') this.#fail(character);
        this.#state = 'value';
        return;
      case 'after-value':
        if (character === ',') this.#state = Array.isArray(this.#open.at(-1)?.value) ? 'value' : 'key';
        else this.#close(character);
        return;
      default:
        this.#fail(character);
    }
  }

  #beginValue(character: string): void {
    if (character === '"') {
      this.#beginString('string');
      this.#changes++;
    } else if (character === '{' || character === '[') {
      this.#open.push({ value: character === '{' ? {} : [], key: '' });
      this.#state = character === '{' ? 'first-key' : 'first-item';
      this.#changes++;
    } else if (/[-0-9a-z]/.test(character)) {
      this.#scalar = character;
      this.#state = 'scalar';
    } else this.#fail(character);
  }

  #close(character: string): void {
    const container = this.#open.pop();
    if (container === undefined || character !== (Array.isArray(container.value) ? ']' : '}'))
      this.#fail(character);
    this.#complete(container.value);
  }

  #complete(value: unknown): void {
    const container = this.#open.at(-1);
    this.#changes++;
    this.#state = container === undefined ? 'done' : 'after-value';
    if (container === undefined) this.#root = value;
    else if (Array.isArray(container.value)) container.value.push(value);
    else setProperty(container.value, container.key, value);
  }

  /** Words have a known length, unlike numbers. */
  #endWord(): void {
    if (this.#scalar === 'true' || this.#scalar === 'false' || this.#scalar === 'null') this.#endScalar();
  }

  #endScalar(): void {
    this.#complete(JSON.parse(this.#scalar));
  }

  #beginString(state: 'string' | 'key-string'): void {
    this.#state = state;
    this.#text = '';
  }

  #readString(text: string, from: number): number {
    if (this.#escape !== '') return this.#readEscape(text, from);
    let to = from;
    while (to < text.length && text[to] !== '"' && text[to] !== '\\') {
      if ((text[to] as string) < ' ') this.#fail(text[to] as string);
      to++;
    }
    if (to > from) this.#append(text.slice(from, to));
    if (text[to] === '\\') this.#escape = '\\';
    if (text[to] === '"') this.#endString();
    return to + 1;
  }

  #readEscape(text: string, at: number): number {
    const character = text[at] as string;
    this.#escape += character;
    if (this.#escape.length === 2 && character !== 'u') {
      const meaning = simpleEscapes[character];
      if (meaning === undefined) this.#fail(this.#escape);
      this.#append(meaning);
      this.#escape = '';
    } else if (this.#escape.length > 2 && !/[0-9a-fA-F]/.test(character)) this.#fail(this.#escape);
    else if (this.#escape.length === 6) {
      this.#appendUnit(String.fromCharCode(Number.parseInt(this.#escape.slice(2), 16)));
      this.#escape = '';
    }
    return at + 1;
  }

  /** Half of a pair waits for the other, so that no half is ever seen. */
  #appendUnit(unit: string): void {
    const isHigh = unit >= '\ud800' && unit <= '\udbff';
    this.#append(isHigh ? '' : unit);
    if (isHigh) this.#highSurrogate = unit;
  }

  #append(text: string): void {
    const added = this.#highSurrogate + text;
    this.#highSurrogate = '';
    if (added === '') return;
    this.#text += added;
    if (this.#state === 'string') this.#changes++;
  }

  #endString(): void {
    this.#append('');
    const container = this.#open.at(-1);
    if (this.#state === 'string') this.#complete(this.#text);
    else if (container !== undefined) {
      container.key = this.#text;
      this.#state = 'colon';
    }
  }
}
