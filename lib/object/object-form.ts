import { createError, LlamaNativeError } from '../errors.js';
import { type JsonSchema, toSchemaText, withoutLookarounds } from '../generate/check-json-schema.js';
import type { ConstraintOptions } from '../generate/constraint.js';
import { isStandardSchema, standardToJsonSchema } from '../schema/standard-schema.js';
import type { StandardIssue, StandardSchema } from '../schema/types.js';
import { PartialJsonParser } from './partial-json.js';
import type { AnyObjectOptions, ObjectSchema } from './types.js';

/** What became of a text: a value, or what is wrong with it. */
export type CheckedText =
  | { readonly value: unknown }
  | { readonly issues: readonly StandardIssue[]; readonly cause?: unknown };

/** Reads the text of an answer while it grows. */
export interface TextReader {
  /** Whether the text has its form and nothing can follow. */
  readonly isComplete: boolean;
  /** Rises whenever `value` has become another one. */
  readonly changes: number;
  readonly value: unknown;
  /** Complete items of an array. */
  readonly items: readonly unknown[];
  push(text: string): void;
}

/** The form of an answer: what holds the model to it, and what is made of its text. */
export interface ObjectForm {
  readonly constraint: ConstraintOptions;
  /** What the model is told of it. */
  readonly schemaText?: string;
  createReader(): TextReader;
  check(text: string): Promise<CheckedText>;
}

class PlainTextReader implements TextReader {
  readonly isComplete = false;
  readonly items = [];
  value = '';
  changes = 0;

  push(text: string): void {
    this.value += text;
    this.changes++;
  }
}

function toJsonSchema(schema: ObjectSchema): JsonSchema {
  if (!isStandardSchema(schema)) return schema;
  try {
    return standardToJsonSchema(schema) as JsonSchema;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw createError('INVALID_SCHEMA', `The schema has no JSON schema: ${reason}`, { cause });
  }
}

async function validate(schema: StandardSchema, value: unknown): Promise<CheckedText> {
  try {
    const result = await schema['~standard'].validate(value);
    return result.issues === undefined ? { value: result.value } : { issues: result.issues };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return { issues: [{ message: `the schema failed: ${message}` }], cause };
  }
}

function parse(text: string): CheckedText {
  try {
    return { value: JSON.parse(text) };
  } catch (cause) {
    return { issues: [{ message: cause instanceof Error ? cause.message : String(cause) }], cause };
  }
}

/**
 * The grammar of a JSON schema lets through nothing that does not fit; a schema of a library may ask for more, since it
 * looks at the answer itself.
 */
function schemaForm(schema: ObjectSchema): ObjectForm {
  const told = toJsonSchema(schema);
  const jsonSchema = isStandardSchema(schema) ? withoutLookarounds(told) : told;
  toSchemaText(jsonSchema); // refuses what no grammar can express
  return {
    constraint: { jsonSchema },
    schemaText: JSON.stringify(told),
    createReader: () => new PartialJsonParser(),
    check: async (text) => {
      const parsed = parse(text);
      return 'value' in parsed && isStandardSchema(schema) ? validate(schema, parsed.value) : parsed;
    },
  };
}

/**
 * The form that options ask for.
 * @throws InvalidArgumentError INVALID_SCHEMA.
 */
export function toObjectForm({ schema, choice, regex, grammar }: AnyObjectOptions): ObjectForm {
  if (schema !== undefined) return schemaForm(schema);
  return {
    constraint: {
      ...(choice !== undefined && { choice }),
      ...(regex !== undefined && { regex }),
      ...(grammar !== undefined && { grammar }),
    },
    createReader: () => new PlainTextReader(),
    check: async (value) => ({ value }),
  };
}

/** Writes issues as a model, or a person, reads them. */
export function describeIssues(issues: readonly StandardIssue[]): string {
  return issues
    .map(({ message, path = [] }) => {
      const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
      return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
    })
    .join('; ');
}

/** Whether a call may ask again after this error. */
export function isRefusedObject(error: unknown): error is LlamaNativeError {
  return LlamaNativeError.isInstance(error) && error.code === 'OBJECT_INVALID';
}
