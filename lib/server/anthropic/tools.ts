import type { JsonSchemaObject, ToolChoice, ToolOptions } from '../../index.js';
import { RequestError } from '../failures.js';
import {
  isObject,
  type JsonObject,
  readArray,
  readObject,
  readOptionalText,
  readText,
  unexpected,
} from '../openai/checks.js';
import { type OfferedFunction, toToolOptions } from '../openai/tools.js';

function readTool(value: unknown, param: string): OfferedFunction {
  const tool = readObject(value, param, 'a tool with name and input_schema');
  const { type = null } = tool;
  if (type !== null && type !== 'custom') {
    const message = `Expected a tool of type "custom" for ${param}.type; received ${JSON.stringify(type)}. Other tools are known to Anthropic's models or servers only: describe a tool with name and input_schema.`;
    throw new RequestError('invalid-request', 'unsupported_tool', message, { param: `${param}.type` });
  }
  const description = readOptionalText(tool.description, `${param}.description`);
  const schema = readObject(tool.input_schema, `${param}.input_schema`, 'a JSON schema of type object');
  if (schema.type !== 'object') throw unexpected(`${param}.input_schema.type`, '"object"', schema.type);
  // Anthropic's clients send null where there are none.
  const { properties, required, ...others } = schema;
  return {
    name: readText(tool.name, `${param}.name`),
    tool: {
      ...(description !== undefined && { description }),
      parameters: {
        ...others,
        ...(isObject(properties) && { properties }),
        ...(Array.isArray(required) && { required }),
      } as unknown as JsonSchemaObject,
    },
  };
}

function readChoice(choice: JsonObject): ToolChoice {
  switch (choice.type) {
    case 'auto':
    case 'none':
      return choice.type;
    case 'any':
      return 'required';
    case 'tool':
      return { name: readText(choice.name, 'tool_choice.name') };
    default:
      throw unexpected('tool_choice.type', '"auto", "any", "tool" or "none"', choice.type);
  }
}

function readParallel({ disable_parallel_tool_use: disabled = false }: JsonObject): boolean {
  if (typeof disabled !== 'boolean') {
    throw unexpected('tool_choice.disable_parallel_tool_use', 'true or false', disabled);
  }
  return !disabled;
}

/**
 * Options of an answer that may call these tools; all calls are handed to the client.
 * @throws RequestError 400 naming the field.
 */
export function readToolOptions(tools: unknown, choice: JsonObject | null | undefined): ToolOptions {
  const list = readArray(tools ?? [], 'tools').map((tool, index) => readTool(tool, `tools[${index}]`));
  if (choice === undefined || choice === null) return toToolOptions(list, undefined, undefined);
  return toToolOptions(list, readChoice(choice), readParallel(choice));
}
