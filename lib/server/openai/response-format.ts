import type { JsonSchema } from '../../index.js';
import { readObject, readOptionalText, unexpected } from './checks.js';

/** What form an answer is to have. */
export interface AnswerFormat {
  readonly schema: JsonSchema;
  /** Refuse what of the schema cannot be held to, instead of leaving it out. */
  readonly isStrict: boolean;
  /** Tell the model of the schema: OpenAI's models are told of it, too. */
  readonly isDescribed: boolean;
  readonly description?: string;
}

const anyObject: JsonSchema = { type: 'object' };

/**
 * A JSON schema with its name, as chat completions (under `json_schema`) and responses (`text.format`) have it.
 * @throws RequestError 400 naming the field.
 */
export function readSchemaFormat(value: unknown, param: string): AnswerFormat {
  const format = readObject(value, param, 'an object with name and schema');
  readOptionalText(format.name, `${param}.name`);
  const description = readOptionalText(format.description, `${param}.description`);
  const { strict = null } = format;
  if (strict !== null && typeof strict !== 'boolean') {
    throw unexpected(`${param}.strict`, 'true or false', strict);
  }
  return {
    schema: readObject(format.schema, `${param}.schema`, 'a JSON schema'),
    isStrict: strict === true,
    isDescribed: true,
    ...(description !== undefined && { description }),
  };
}

/**
 * `response_format` of a chat completion: `text`, `json_object` or `json_schema`. llama-server's `json_object` with a
 * `schema` is understood as well.
 * @returns undefined for plain text.
 */
export function readResponseFormat(value: unknown, param = 'response_format'): AnswerFormat | undefined {
  if (value === undefined || value === null) return undefined;
  const format = readObject(value, param);
  switch (format.type) {
    case 'text':
      return undefined;
    case 'json_object':
      return {
        schema: format.schema ? readObject(format.schema, `${param}.schema`, 'a JSON schema') : anyObject,
        isStrict: false,
        // OpenAI demands that the messages themselves ask for JSON.
        isDescribed: false,
      };
    case 'json_schema':
      return readSchemaFormat(format.json_schema, `${param}.json_schema`);
    default:
      throw unexpected(`${param}.type`, '"text", "json_object" or "json_schema"', format.type);
  }
}
