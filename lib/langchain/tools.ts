import type { BindToolsInput, ToolChoice } from '@langchain/core/language_models/chat_models';
import { convertToOpenAITool } from '@langchain/core/utils/function_calling';
import type { ToolChoice as OwnToolChoice, Tool, ToolOptions } from '../index.js';

function toToolChoice(choice: ToolChoice | undefined): OwnToolChoice {
  if (choice === undefined || choice === 'auto' || choice === 'none') return choice ?? 'auto';
  if (choice === 'any' || choice === 'required') return 'required';
  // Another text is the name of a tool; an object names it in the form of OpenAI, or as { name }.
  const { function: called, name } = (typeof choice === 'string' ? { name: choice } : choice) as {
    function?: { name: string };
    name?: string;
  };
  return { name: called?.name ?? name ?? '' };
}

/** Tools in any form that LangChain knows, without anything to execute: the caller does that. */
export function toToolOptions(
  tools: readonly BindToolsInput[] = [],
  choice: ToolChoice | undefined = undefined,
): ToolOptions {
  if (tools.length === 0) return {};
  const described = tools.map((tool): [string, Tool] => {
    const { name, description, parameters } = convertToOpenAITool(tool).function;
    return [
      name,
      {
        ...(description !== undefined && { description }),
        parameters: { type: 'object', ...(parameters as object) },
      },
    ];
  });
  return { tools: Object.fromEntries(described), toolChoice: toToolChoice(choice), maxSteps: 1 };
}
