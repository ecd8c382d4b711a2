import { toGrammarLiteral } from '../generate/choice-grammar.js';
import { parseRules, printRules } from './gbnf.js';
import type { Json } from './native-messages.js';
import { plainArgument } from './plain-argument.js';
import { TaggedCall } from './tagged-call.js';
import { type ToolParameters, toToolParameters } from './tool-parameters.js';
import {
  anyValueRules,
  followReference,
  gemmaNotation,
  jsonNotation,
  listOnce,
  pythonNotation,
  type ValueNotation,
  ValueWriter,
} from './value-grammar.js';

/** Writes the rule of a tool. */
type CallWriter = (tool: ToolParameters, writer: ValueWriter) => string;

/** A call of Python, as LFM2 writes it. */
const pythonCall: CallWriter = ({ name, properties, required }, writer) => {
  const items = [...properties].map(([key, schema]) => ({
    expression: `${toGrammarLiteral(`${key}=`)} ${writer.write(schema)}`,
    required: required.has(key),
  }));
  // llama.cpp reads no call without an argument of a tool that has some.
  const list = listOnce(items, '"," space').replace(
    /\)\?$/,
    properties.size > 0 && required.size === 0 ? ')' : ')?',
  );
  return `${toGrammarLiteral(`${name}(`)} space ${list} space ")"`;
};

/** A call of Gemma 4: a dictionary without quotes around its keys. */
const gemmaCall: CallWriter = ({ name, schema }, writer) =>
  `${toGrammarLiteral(name)} ${writer.writeObject(schema)}`;

/** A call of Kimi K3: the type of each argument is told, and texts stand as they are. */
const kimiCall: CallWriter = ({ name, schema, properties, required }, writer) => {
  const [end, anyText] = ['<|close|>argument<|sep|>', '([^<] | "<" [^|])*'];
  const items = [...properties].map(([key, property]) => {
    const type = followReference(property, schema)?.type ?? 'string';
    // llama.cpp takes for text what has no type by its own schema.
    const isText = (property as { type?: Json }).type === undefined || type === 'string';
    const value = isText ? (plainArgument(property, schema, end) ?? anyText) : writer.write(property);
    const written = isText ? 'string' : type === 'integer' ? 'number' : String(type);
    const begin = `<|open|>argument key="${key}" type="${written}"<|sep|>`;
    const argument = `(${toGrammarLiteral(begin)} ${value} ${toGrammarLiteral(end)})`;
    return required.has(key) ? argument : `${argument}?`;
  });
  const begin = toGrammarLiteral(`<|open|>call tool="${name}" index="`);
  return `${begin} [1-9] [0-9]? "\\"<|sep|>" ${items.join(' ')} "<|close|>call<|sep|>"`;
};

/** How a grammar writes the calls of a tool, where that is no JSON and has no marks around each argument. */
function formOf(
  rules: ReadonlyMap<string, string>,
  rule: string,
): readonly [name: string, notation: ValueNotation, write: CallWriter] | undefined {
  const name = `tool-${rule}`;
  if (rules.has(`kimi-k3-${name}`)) return [`kimi-k3-${name}`, jsonNotation, kimiCall];
  if (rules.has('python-or-json-value')) return [name, pythonNotation, pythonCall];
  return / gemma4-dict$/.test(rules.get(name) ?? '') ? [name, gemmaNotation, gemmaCall] : undefined;
}

/**
 * The grammar of calls whose arguments fit the tools' schemas: each comes once at most, those that are required in any
 * case, and texts outside of quotes are held to enumerations, patterns and lengths. llama.cpp's grammars do so for JSON.
 * @param tools in the form that templates take, with the patterns of their schemas as they were given.
 */
export function holdArguments(grammar: string, tools: readonly Json[]): string {
  const rules = parseRules(grammar);
  for (const tool of tools.map(toToolParameters)) {
    // llama.cpp's names of rules know only letters, digits and hyphens.
    const rule = tool.name.replace(/[^a-zA-Z0-9-]+/g, '-');
    const form = formOf(rules, rule);
    if (form !== undefined) {
      const [name, notation, write] = form;
      const writer = new ValueWriter(tool.schema, notation, `value-${rule}`);
      rules.set(name, write(tool, writer));
      for (const [key, body] of writer.rules) rules.set(key, body);
      continue;
    }
    for (const name of [`tool-${rule}`, `ling3-tool-${rule}`])
      new TaggedCall(tool.schema, rules).rewrite(name);
  }
  const usesAny = [...rules.values()].some((body) => body.includes('value-any'));
  const usesSpace = [...rules.values()].some((body) => /\bspace\b/.test(body));
  return printRules(
    new Map([
      ...(usesAny ? anyValueRules : []),
      ...(usesSpace ? ([['space', '| " " | "\\n"{1,2} [ \\t]{0,20}']] as const) : []),
      ...rules,
    ]),
  );
}
