import { createError, type LlamaNativeError } from '../errors.js';
import { toNativePattern } from '../generate/regex-grammar.js';
import { isStandardSchema, standardToJsonSchema } from '../schema/standard-schema.js';
import { toJsonText } from './check-messages.js';
import { findReferenceProblem } from './check-references.js';
import type { Json } from './native-messages.js';
import type { Tool } from './tool.js';

/** The error for a tool that is described wrongly. */
export function invalidTool(name: string, problem: string, cause?: unknown): LlamaNativeError {
  return createError('INVALID_TOOL', `The tool ${JSON.stringify(name)} ${problem}`, {
    cause,
    details: { name },
  });
}

/** Checks that a grammar can express the patterns of parameters. */
function checkPatterns(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  try {
    withNativePattern(value as Json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidTool(name, `has parameters with a pattern that no grammar can express: ${reason}`, error);
  }
  for (const inner of Object.values(value)) checkPatterns(name, inner);
}

function lengthOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** A schema with its pattern, and the bounds of its length with it, as llama.cpp's converter reads it. */
function withNativePattern(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { pattern, minLength, maxLength, ...others } = value as { readonly [key: string]: Json };
  if (typeof pattern !== 'string') return value;
  const bounds = { pattern, minLength: lengthOf(minLength), maxLength: lengthOf(maxLength) };
  return { ...others, pattern: toNativePattern(bounds) };
}

/** Tools as JSON, with patterns as llama.cpp's converter reads them. */
export function toNativeTools(tools: readonly Json[]): string {
  return JSON.stringify(tools, (_key, value: Json) => withNativePattern(value));
}

/**
 * The JSON schema of a tool's parameters, as plain data.
 * @throws ToolError INVALID_TOOL.
 */
export function toParameterSchema(name: string, { parameters }: Tool): { readonly [key: string]: Json } {
  if (parameters === undefined) return { type: 'object', properties: {} };
  let schema: object;
  let text: string;
  try {
    schema = isStandardSchema(parameters) ? standardToJsonSchema(parameters) : parameters;
    text = toJsonText('parameters', schema);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidTool(name, `has parameters that cannot be used: ${reason}`, error);
  }
  const plain: unknown = JSON.parse(text);
  checkPatterns(name, plain);
  const type = (plain as { type?: unknown } | null)?.type;
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain) || type !== 'object') {
    throw invalidTool(name, "has parameters that are no JSON schema of an object. Expected type: 'object'.");
  }
  const object = plain as { readonly [key: string]: Json };
  const problem = findReferenceProblem(object, object);
  if (problem !== undefined) throw invalidTool(name, `has parameters whose $ref ${problem}.`);
  return object;
}
