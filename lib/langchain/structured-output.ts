import type { StructuredOutputMethodOptions } from '@langchain/core/language_models/base';
import {
  assembleStructuredOutputPipeline,
  createContentParser,
  createFunctionCallingParser,
} from '@langchain/core/language_models/structured_output';
import type { Runnable } from '@langchain/core/runnables';
import { toJsonSchema } from '@langchain/core/utils/json_schema';
import { isSerializableSchema, type SerializableSchema } from '@langchain/core/utils/standard_schema';
import { type InteropZodType, isInteropZodSchema } from '@langchain/core/utils/types';
import { InvalidArgumentError, type JsonSchema } from '../index.js';
import type { ChatLlamaNative } from './chat-model.js';

// biome-ignore-start lint/suspicious/noExplicitAny: LangChain's own types say any
/** A schema in any form that LangChain knows. */
export type OutputSchema<Output extends Record<string, any>> =
  | InteropZodType<Output>
  | SerializableSchema<Output>
  | Record<string, any>;
// biome-ignore-end lint/suspicious/noExplicitAny: LangChain's own types say any

function asJsonSchema(schema: OutputSchema<Record<string, unknown>>): JsonSchema {
  const isOfLibrary = isInteropZodSchema(schema) || isSerializableSchema(schema);
  return (isOfLibrary ? toJsonSchema(schema) : schema) as JsonSchema;
}

/**
 * A chain that ends in an object: by default a grammar holds the answer to the schema; `functionCalling` makes the
 * model call a tool instead, and `jsonMode` asks for any JSON object.
 * @throws InvalidArgumentError for another method.
 */
export function structuredOutput(
  model: ChatLlamaNative,
  schema: OutputSchema<Record<string, unknown>>,
  { name, method = 'jsonSchema', includeRaw = false }: StructuredOutputMethodOptions<boolean>,
): Runnable {
  const jsonSchema = asJsonSchema(schema);
  const format = { ls_structured_output_format: { kwargs: { method }, schema: jsonSchema } };
  if (method === 'functionCalling') {
    const toolName = name ?? 'extract';
    const description = jsonSchema.description ?? 'Gives the answer.';
    const tool = { type: 'function', function: { name: toolName, description, parameters: jsonSchema } };
    const bound = model.bindTools([tool], { tool_choice: toolName, parallelToolCalls: false, ...format });
    const parser = createFunctionCallingParser(schema, toolName);
    return assembleStructuredOutputPipeline(
      bound,
      parser as never,
      includeRaw,
      'StructuredOutput',
    ) as Runnable;
  }
  if (method !== 'jsonSchema' && method !== 'jsonMode') {
    const message = `Expected jsonSchema, functionCalling or jsonMode for method; received ${JSON.stringify(method)}.`;
    throw new InvalidArgumentError('INVALID_ARGUMENT', message, { details: { name: 'method' } });
  }
  const options =
    method === 'jsonMode' ? { jsonSchema: { type: 'object' } } : { jsonSchema, describeSchema: true };
  const bound = model.withConfig({ ...options, ...format });
  return assembleStructuredOutputPipeline(
    bound,
    createContentParser(schema),
    includeRaw,
    'StructuredOutput',
  ) as Runnable;
}
