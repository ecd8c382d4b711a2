/** A piece of a rule: a text, a class or a name, or a group with alternatives, each with the sign of its repetition. */
export type Item = { readonly sign: string } & (
  | { readonly kind: 'text' | 'class' | 'name'; readonly source: string }
  | { readonly kind: 'group'; readonly options: Alternatives }
);

/** The alternatives of a rule or group, each a list of items. */
export type Alternatives = readonly (readonly Item[])[];

const piece = /"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\{[\d,]*\}|[\w-]+|[()|*+?.]/g;

/** Reads the body of a rule of a grammar in GBNF, as llama.cpp writes it. */
export function parseBody(body: string): Alternatives {
  /** Groups that are open, the outermost first. */
  const open: Item[][][] = [[[]]];
  const current = () => open.at(-1)?.at(-1) ?? [];
  for (const [source] of body.matchAll(piece)) {
    const items = current();
    const last = items.at(-1);
    if (source === '(') open.push([[]]);
    else if (source === '|') open.at(-1)?.push([]);
    else if (source === ')') {
      const options = open.pop() ?? [];
      current().push({ kind: 'group', options, sign: '' });
    } else if (/^[*+?{]/.test(source) && last !== undefined) items.splice(-1, 1, { ...last, sign: source });
    else if (source.startsWith('"')) items.push({ kind: 'text', source, sign: '' });
    else items.push({ kind: /^[[.]/.test(source) ? 'class' : 'name', source, sign: '' });
  }
  return open[0] ?? [];
}

function printItem(item: Item): string {
  const body = item.kind === 'group' ? `(${printBody(item.options)})` : item.source;
  return body + item.sign;
}

/** Writes alternatives as the body of a rule. */
export function printBody(options: Alternatives): string {
  return options.map((items) => items.map(printItem).join(' ')).join(' | ');
}

/** The rules of a grammar by their names. */
export function parseRules(grammar: string): Map<string, string> {
  const rules = new Map<string, string>();
  for (const [, name = '', body = ''] of grammar.matchAll(/^([\w-]+) ::= (.*)$/gm)) rules.set(name, body);
  return rules;
}

/** A grammar of rules by their names. */
export function printRules(rules: ReadonlyMap<string, string>): string {
  return [...rules].map(([name, body]) => `${name} ::= ${body}\n`).join('');
}

/** What a literal of a grammar says. */
export function textOf(source: string): string {
  return source
    .slice(1, -1)
    .replace(/\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/gs, (_, x, u, long, letter) => {
      const code = x ?? u ?? long;
      if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
      return ({ n: '\n', r: '\r', t: '\t' } as Record<string, string>)[letter] ?? letter;
    });
}
