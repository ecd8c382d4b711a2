/** The free text that llama.cpp's grammars let a model write before a call it must make. */
const textBeforeCalls = /\s*\buntil-\d+\??(?=\s+(?:space\s+)?[\w-]*tool-call)/g;

/** Rules of llama.cpp's grammars that say how calls follow each other; each tool has rules of its own below them. */
const ruleOfCalls = /^((?:kimi-k3-|ling3-)?tool-call(?:s|-root)?|tools) ::= (.*)$/gm;

/** A tool whose rule ends with an argument, and so does not close the call itself. */
const toolOfArguments = /^tool-[\w-]+ ::= .*\btool-[\w-]+-arg-[\w-]+[)*]*$/m;

/** The id of a call, as any text or number. */
const anyId = '("\\"" ( [^"\\\\] | "\\\\" ( ["\\\\/ bfnrt] | "u" [0-9a-fA-F]{4} ) )* "\\"" | json-number)';

/** Calls in which several may stand as well, as in `tool-calls ::= (tool-call space)+`. */
const callsOfCalls = /^tool-calls ::= \(tool-call space\)\+$/m;

/** What a rule is made of: texts and classes, in which nothing else is looked for, names, and signs. */
const piece = /"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|[\w-]+|\s+|./g;

/** The same where it may have marks around it that may be left out, as for Kimi K3. */
const markedTextBeforeCalls = /\s*"(?:\\.|[^"\\])*"\? until-\d+ "(?:\\.|[^"\\])*"\?(?=\s+[\w-]*tool-call)/g;

/** The same as an alternative, as for Functionary 3.2. */
const textOrCalls = /\("all\\n" until-\d+ tools \| tools\)/;

/** Thoughts whose end may be left out: what looks like a call would be one more thought. */
const unendedThoughts = /(\buntil-\d+ "(?:\\.|[^"\\])*")\?(?=\)\? [\w-]*tool-call)/;

/** Free text behind calls, as for Ling 3. */
const textBehindCalls = /\s*\buntil-\d+\?(?=\s+"(?:\\.|[^"\\])*"\?$)/;

/**
 * The grammar of an answer that has to call a tool, without the free text before and behind the call: a model that does
 * not want to call could write on until its tokens are used up. Its reasoning stays, and ends.
 */
export function callAtOnce(grammar: string): string {
  return grammar
    .replace(/^root ::=.*$/m, (root) =>
      root
        .replaceAll(textBeforeCalls, '')
        .replaceAll(markedTextBeforeCalls, '')
        .replace(textOrCalls, 'tools')
        .replace(unendedThoughts, '$1')
        .replace(textBehindCalls, ''),
    )
    .replace(/^ling3-tool-call ::=.*$/m, (rule) => rule.replace(textBehindCalls, ''));
}

/** Whether an item names the rule of a tool or of calls, outside of its texts. */
function holdsCall(item: string): boolean {
  return /(?<![\w-])(?:kimi-k3-|ling3-)?tool-/.test(item.replace(/"(?:\\.|[^"\\])*"/g, '""'));
}

/** A repetition with an end, in place of one with the sign + or *. */
function repeat(item: string, sign: string, most: number): string {
  const least = sign === '+' ? 1 : 0;
  if (most === 0) return '';
  return least === most ? item : `${item}{${least},${most}}`;
}

/** The body of a rule with an end to its repetitions of calls. */
function boundBody(body: string, most: number): string {
  /** Items of the groups that are open, the outermost group first. */
  const open: string[][] = [[]];
  for (const [text] of body.matchAll(piece)) {
    const items = open.at(-1) ?? [];
    const last = items.at(-1) ?? '';
    if (text === '(') open.push([]);
    else if (text === ')') {
      open.pop();
      open.at(-1)?.push(`(${items.join('')})`);
    } else if ((text === '*' || text === '+') && holdsCall(last)) {
      const before = items.slice(0, -1).some(holdsCall) ? 1 : 0;
      items.splice(-1, 1, repeat(last, text, most - before));
    } else items.push(text);
  }
  return (open[0] ?? []).join('').trim();
}

/**
 * The grammar of an answer with a number of calls at most: llama.cpp's have no end where they allow several, and some
 * allow several whatever they are told.
 */
export function boundCalls(grammar: string, most: number): string {
  const single = /^tool-call ::= (.*)$/m.exec(grammar)?.[1] ?? '';
  const bounded = grammar.replaceAll(ruleOfCalls, (_rule, name: string, body: string) => {
    return `${name} ::= ${boundBody(body, most)}`;
  });
  if (most === 1 || !callsOfCalls.test(grammar) || boundBody(single, 1) === single) return bounded;
  // Several calls, each of its own, or one that holds several.
  return bounded.replace(
    /^tool-calls ::=.*$/m,
    `tool-calls ::= (one-tool-call space){1,${most}} | tool-call space\none-tool-call ::= ${boundBody(single, 1)}`,
  );
}

/**
 * The grammar of calls that llama.cpp's parser reads: where the mark that ends a call follows an argument, as for GLM
 * 4.6, the grammar admits white space in front of it, and the parser does not.
 */
export function closeAtOnce(grammar: string): string {
  if (!toolOfArguments.test(grammar)) return grammar;
  return grammar.replace(/^tool-call ::=.*$/m, (rule) =>
    rule.replace(/(\btool-[\w-]+\)) space (?=")/g, '$1 '),
  );
}

/**
 * The grammar of calls whose texts are JSON: llama.cpp's general rule of a text admits line ends as they are, and a
 * space behind a backslash.
 */
export function escapeTexts(grammar: string): string {
  return grammar.replace(
    /\[\^(["'])\\\\\] \| "\\\\" \( \[\1\\\\\/ bfnrt\]/g,
    '[^$1\\\\\\x00-\\x1f] | "\\\\" ( [$1\\\\/bfnrt]',
  );
}

/** The grammar of calls whose ids, where the model writes some, have an end: a small model may not find it. */
export function boundIds(grammar: string): string {
  return grammar.replaceAll(anyId, '("\\"" [a-zA-Z0-9_-]{1,40} "\\"" | "0" | [1-9] [0-9]{0,8})');
}

/** The grammar of JSON whose numbers JavaScript can hold: llama.cpp's may have exponents of many digits. */
export function boundExponents(grammar: string): string {
  return grammar
    .replaceAll('([eE] [-+]? integral-part)', '([eE] [-+]? [0-9]{1,2})')
    .replaceAll('(("e" | "E") [+-]? [0-9]+)', '(("e" | "E") [+-]? [0-9]{1,2})');
}
