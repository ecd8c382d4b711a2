import type { JsonSchemaObject, Tool, ToolChoice, ToolOptions } from '../../index.js';
import { RequestError } from '../failures.js';
import { isObject, readArray, readObject, readOptionalText, readText, unexpected } from './checks.js';

/** A function that a client offers to the model. */
export interface OfferedFunction {
  readonly name: string;
  readonly tool: Tool;
}

/**
 * A function as both chat completions (under `function`) and responses describe it.
 * @throws RequestError 400 naming the field. What its parameters say is checked when the answer starts.
 */
export function readFunction(value: unknown, param: string): OfferedFunction {
  const definition = readObject(value, param, 'a function with a name');
  const name = readText(definition.name, `${param}.name`);
  const description = readOptionalText(definition.description, `${param}.description`);
  const { parameters = null } = definition;
  if (parameters !== null && !isObject(parameters)) {
    throw unexpected(`${param}.parameters`, 'a JSON schema of type object', parameters);
  }
  return {
    name,
    tool: {
      ...(description !== undefined && { description }),
      ...(parameters !== null && { parameters: { type: 'object', ...parameters } as JsonSchemaObject }),
    },
  };
}

/** The error of a kind of tool that only OpenAI's own servers have. */
export function unsupportedTool(param: string, type: unknown): RequestError {
  const message = `Expected a tool of type "function" for ${param}; received ${JSON.stringify(type) ?? 'none'}. Other tools run on OpenAI's servers only: describe a function and call it yourself.`;
  return new RequestError('invalid-request', 'unsupported_tool', message, { param });
}

/** The tools of a chat completion. */
export function readChatTools(value: unknown, param = 'tools'): OfferedFunction[] {
  if (value === undefined || value === null) return [];
  return readArray(value, param).map((item, index) => {
    const name = `${param}[${index}]`;
    const { type, function: definition } = readObject(item, name, 'a tool of type function');
    if (type !== 'function') throw unsupportedTool(`${name}.type`, type);
    return readFunction(definition, `${name}.function`);
  });
}

/** `auto`, `none`, `required`, or a function: `{ type, function: { name } }`, in responses `{ type, name }`. */
export function readToolChoice(value: unknown, param = 'tool_choice'): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === 'auto' || value === 'none' || value === 'required') return value;
  const expected = '"auto", "none", "required" or a function by name';
  const choice = readObject(value, param, expected);
  if (choice.type !== 'function') throw unexpected(`${param}.type`, '"function"', choice.type);
  if (choice.function === undefined) return { name: readText(choice.name, `${param}.name`) };
  const { name } = readObject(choice.function, `${param}.function`);
  return { name: readText(name, `${param}.function.name`) };
}

/**
 * Options of an answer that may call these functions; all calls are handed to the client.
 * @throws RequestError 400 for two of one name, and for a choice that nothing is there for.
 */
export function toToolOptions(
  functions: readonly OfferedFunction[],
  choice: ToolChoice | undefined,
  parallelToolCalls: boolean | null | undefined,
): ToolOptions {
  if (functions.length === 0) {
    if (choice === undefined || choice === 'auto' || choice === 'none') return {};
    throw unexpected('tool_choice', 'tools beside it, or "auto" or "none"', choice);
  }
  const tools: Record<string, Tool> = Object.create(null);
  for (const { name, tool } of functions) {
    if (name in tools) throw unexpected('tools', 'functions of different names', name);
    tools[name] = tool;
  }
  if (typeof choice === 'object' && !(choice.name in tools)) {
    throw unexpected('tool_choice', `one of the tools (${Object.keys(tools).join(', ')})`, choice.name);
  }
  return {
    tools,
    ...(choice !== undefined && { toolChoice: choice }),
    ...(typeof parallelToolCalls === 'boolean' && { parallelToolCalls }),
    maxSteps: 1,
  };
}
