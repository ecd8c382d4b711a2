import { toGrammarLiteral } from '../generate/choice-grammar.js';
import { type Alternatives, type Item, parseBody, printBody, textOf } from './gbnf.js';
import type { Json } from './native-messages.js';
import { plainArgument } from './plain-argument.js';
import { followReference, isSchema, type Schema } from './value-grammar.js';

/** What ends a text that may be anything. */
interface TextEnd {
  /** '' if it is not known. */
  readonly mark: string;
  /** The item that stands for the text stands for its end, too. */
  readonly isPart: boolean;
}

/** Whether a rule is that of an argument, and not of a value in JSON. */
function isArgument(name: string): boolean {
  return /-arg-/.test(name) && !/-schema/.test(name) && !/-arg-string$/.test(name);
}

/** The mark that a text ends with, by rules that follow its characters one by one. */
function endOfAutomaton(name: string, rules: ReadonlyMap<string, string>): string | undefined {
  let mark = '';
  let here = name;
  for (let state = 1; state < 200; state++) {
    const next = `${name}-${String(state).padStart(2, '0')}`;
    const step = parseBody(rules.get(here) ?? '').find(
      ([character, follower]) =>
        character?.kind === 'class' &&
        (follower === undefined || (follower.kind === 'name' && follower.source === next)),
    );
    const [character, follower] = step ?? [];
    if (character?.kind !== 'class') return undefined;
    mark += textOf(character.source);
    if (follower === undefined) return mark;
    here = next;
  }
  return undefined;
}

/** Rewrites the rules of a tool whose arguments stand each between marks, as for Qwen 3 Coder or GLM. */
export class TaggedCall {
  readonly #root: Schema;
  readonly #rules: Map<string, string>;
  readonly #seen = new Set<string>();

  /**
   * @param root the tool's parameters, which references point into.
   * @param rules of the grammar; those of arguments are changed.
   */
  constructor(root: Schema, rules: Map<string, string>) {
    this.#root = root;
    this.#rules = rules;
  }

  /**
   * Rewrites a rule so that each argument comes once at most, those that are required in any case, and that texts are held
   * to their schemas.
   */
  rewrite(name: string): void {
    this.#rewriteRule(name, this.#root);
  }

  #rewriteRule(name: string, schema: Json | undefined): void {
    const body = this.#rules.get(name);
    if (body === undefined || this.#seen.has(name)) return;
    this.#seen.add(name);
    this.#rules.set(name, printBody(parseBody(body).map((items) => this.#hold(items, schema))));
  }

  /** What is written of a value, held to its schema. */
  #hold(items: readonly Item[], schema: Json | undefined): readonly Item[] {
    return items.flatMap((item, index) => {
      const end = this.#endOf(item, items[index + 1]);
      if (end !== undefined) return this.#holdText(item, end, schema);
      if (item.kind === 'name') {
        // Some name the arguments that are still to come by numbers.
        if (/-args-\d+$/.test(item.source)) this.#rewriteRule(item.source, schema);
        if (isArgument(item.source)) this.#rewriteRule(item.source, this.#propertyOf([item], schema)?.[1]);
      }
      if (item.kind !== 'group') return [item];
      const held =
        item.sign === '*' ? (this.#holdItems(item, schema) ?? this.#once(item.options, schema)) : undefined;
      return held ?? [{ ...item, options: item.options.map((option) => this.#hold(option, schema)) }];
    });
  }

  #holdText(item: Item, { mark, isPart }: TextEnd, schema: Json | undefined): readonly Item[] {
    const text = mark === '' ? undefined : plainArgument(schema, this.#root, mark);
    if (text === undefined) return [item];
    const written: Item = { kind: 'group', options: parseBody(text), sign: '' };
    return isPart ? [written, { kind: 'text', source: toGrammarLiteral(mark), sign: '' }] : [written];
  }

  /** The items of an array, each between marks of its own, as MiniMax M3 writes them. */
  #holdItems(group: Item & { kind: 'group' }, schema: Json | undefined): readonly Item[] | undefined {
    const [items = []] = group.options;
    const item = items.find(
      ({ kind, ...other }) => kind === 'name' && 'source' in other && /-item$/.test(other.source),
    );
    const target = followReference(schema, this.#root);
    if (item?.kind !== 'name' || target?.type !== 'array') return undefined;
    this.#rewriteRule(item.source, target.items);
    const { minItems: least, maxItems: most } = target;
    const sign = `{${typeof least === 'number' ? least : 0},${typeof most === 'number' ? most : ''}}`;
    return [{ ...group, sign }];
  }

  /** Repeated alternatives of arguments, perhaps with white space around them, as these one after the other. */
  #once(options: Alternatives, schema: Json | undefined): readonly Item[] | undefined {
    const [items = []] = options;
    const place = items.findIndex((item) => item.kind === 'group' && item.sign === '');
    const group = items[place];
    const around = items.filter((_, index) => index !== place);
    const isSpaced = around.every((item) => item.kind === 'name' && item.source === 'space');
    return options.length === 1 && group?.kind === 'group' && isSpaced
      ? this.#each(group.options, items.slice(0, place), items.slice(place + 1), schema)
      : this.#each(options, [], [], schema);
  }

  #each(
    options: Alternatives,
    before: readonly Item[],
    after: readonly Item[],
    schema: Json | undefined,
  ): readonly Item[] | undefined {
    const { properties, required } = followReference(schema, this.#root) ?? {};
    const byKey = new Map(options.map((option) => [this.#propertyOf(option, schema)?.[0], option]));
    if (!isSchema(properties) || byKey.has(undefined) || byKey.size !== options.length) return undefined;
    return Object.entries(properties)
      .filter(([key]) => byKey.has(key))
      .map(([key, property]) => {
        const argument = byKey.get(key) ?? [];
        const [only] = argument;
        const hasRule = argument.length === 1 && only?.kind === 'name';
        if (hasRule) this.#rewriteRule(only.source, property);
        const written = hasRule ? argument : this.#hold(argument, property);
        const sign = Array.isArray(required) && required.includes(key) ? '' : '?';
        return { kind: 'group', options: [[...before, ...written, ...after]], sign } as const;
      });
  }

  /** The property that items write: its name is a text of its own. */
  #propertyOf(items: readonly Item[], schema: Json | undefined): readonly [string, Json] | undefined {
    const properties = followReference(schema, this.#root)?.properties;
    if (!isSchema(properties)) return undefined;
    for (const item of items) {
      const found = this.#propertyOfItem(item, schema, properties);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #propertyOfItem(
    item: Item,
    schema: Json | undefined,
    properties: Schema,
  ): readonly [string, Json] | undefined {
    if (item.kind === 'group') return this.#propertyOf(item.options[0] ?? [], schema);
    if (item.kind === 'name') {
      const body = isArgument(item.source) ? this.#rules.get(item.source) : undefined;
      return body === undefined ? undefined : this.#propertyOf(parseBody(body)[0] ?? [], schema);
    }
    const text = item.kind === 'text' ? textOf(item.source) : '';
    return Object.entries(properties).find(([key]) => key === text);
  }

  /** The mark that any text ends with; undefined for an item that is no such text. */
  #endOf(item: Item, next: Item | undefined): TextEnd | undefined {
    if (item.kind === 'group') {
      // MiniCPM5: a text between marks of its own, or up to the end.
      const [[opening] = [], [text] = []] = item.options;
      const isMarked = opening?.kind === 'text' && textOf(opening.source) === '<![CDATA[';
      return isMarked && text !== undefined ? this.#endOf(text, undefined) : undefined;
    }
    if (item.kind !== 'name') return undefined;
    if (/^until-\d+$/.test(item.source)) {
      return { mark: next?.kind === 'text' ? textOf(next.source) : '', isPart: false };
    }
    if (/^ac-\d+$/.test(item.source)) {
      return { mark: endOfAutomaton(item.source, this.#rules) ?? '', isPart: true };
    }
    if (!/^(?:xml|ling3)-arg-string$/.test(item.source)) return undefined;
    const [text, end] = parseBody(this.#rules.get(item.source) ?? '')[0] ?? [];
    const found = text && this.#endOf(text, end);
    return found && { ...found, isPart: true };
  }
}
