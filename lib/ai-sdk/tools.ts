import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import type { Tool, ToolChoice, ToolOptions } from '../index.js';
import type { Warn } from './prompt.js';

type CallTools = Pick<LanguageModelV4CallOptions, 'tools' | 'toolChoice'>;

function toToolChoice(choice: LanguageModelV4CallOptions['toolChoice']): ToolChoice {
  if (choice === undefined) return 'auto';
  return choice.type === 'tool' ? { name: choice.toolName } : choice.type;
}

/** The tools of a call, without anything to execute: the AI SDK does that. */
export function toToolOptions({ tools = [], toolChoice }: CallTools, warn: Warn): ToolOptions {
  const described: Record<string, Tool> = {};
  for (const tool of tools) {
    if (tool.type === 'provider') {
      warn({ type: 'unsupported', feature: `provider-defined tool ${tool.id}` });
      continue;
    }
    if (tool.inputExamples !== undefined)
      warn({ type: 'unsupported', feature: 'inputExamples', details: `of the tool ${tool.name}` });
    described[tool.name] = {
      ...(tool.description !== undefined && { description: tool.description }),
      parameters: { type: 'object', ...tool.inputSchema },
    };
  }
  if (Object.keys(described).length === 0) return {};
  // One step: a call of a tool that does not exist is for the AI SDK to repair, too.
  return { tools: described, toolChoice: toToolChoice(toolChoice), maxSteps: 1 };
}
