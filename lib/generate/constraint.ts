import { checkString, invalidArgument } from '../arguments.js';
import { type JsonSchema, toSchemaText } from './check-json-schema.js';
import { choiceGrammar } from './choice-grammar.js';
import { regexGrammar } from './regex-grammar.js';

/** What form an answer has from its first character on: one of these at most. See docs/structured-output.md. */
export interface ConstraintOptions {
  /** A JSON schema: the answer is JSON that fits it. */
  jsonSchema?: JsonSchema;
  /** A regular expression that the whole answer matches. */
  regex?: RegExp;
  /** The answer is one of these texts. */
  choice?: readonly string[];
  /** A grammar in GBNF that the answer follows. */
  grammar?: string;
}

/** The names of these options. */
export const constraintKeys = ['jsonSchema', 'regex', 'choice', 'grammar'] as const;

/** A constraint in the form the addon takes. */
export interface NativeConstraint {
  readonly grammar?: string;
  readonly jsonSchema?: string;
}

/**
 * Turns the constraint of an answer into a grammar or the text of a schema.
 * @throws InvalidArgumentError; INVALID_SCHEMA, INVALID_REGEX.
 */
export function toNativeConstraint(options: ConstraintOptions): NativeConstraint {
  const { jsonSchema, regex, choice, grammar } = options;
  if (jsonSchema !== undefined) return { jsonSchema: toSchemaText(jsonSchema) };
  if (regex !== undefined) return { grammar: regexGrammar(regex) };
  if (choice !== undefined) return { grammar: choiceGrammar(choice) };
  return grammar === undefined ? {} : { grammar };
}

/**
 * Checks the constraint of an answer.
 * @throws InvalidArgumentError, also if there are several; INVALID_SCHEMA, INVALID_REGEX.
 */
export function checkConstraint(options: ConstraintOptions): void {
  const { jsonSchema, grammar } = options;
  const [first, second] = constraintKeys.filter((name) => options[name] !== undefined);
  if (second !== undefined) throw invalidArgument(second, `nothing beside ${first}`, options[second]);
  checkString('grammar', grammar);
  if (grammar === '') throw invalidArgument('grammar', 'a text of at least one rule', grammar);
  const isObject = typeof jsonSchema === 'object' && jsonSchema !== null && !Array.isArray(jsonSchema);
  if (jsonSchema !== undefined && !isObject) throw invalidArgument('jsonSchema', 'an object', jsonSchema);
  toNativeConstraint(options);
}
