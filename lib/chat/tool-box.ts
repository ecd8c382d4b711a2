import { checkBoolean, checkInteger, invalidArgument } from '../arguments.js';
import { createError, type LlamaNativeError } from '../errors.js';
import { executeTool, failedOutcome, type ToolOutcome } from './execute-tool.js';
import type { Json } from './native-messages.js';
import type { PromptRequest } from './render.js';
import type { ToolContext, ToolOptions, Tools } from './tool.js';
import { invalidTool, toParameterSchema } from './tool-schema.js';
import type { ChatMessage, ChatPart, ToolCall } from './types.js';

/** The names of the options that {@link ToolBox} reads. */
export const toolOptionKeys: readonly string[] = [
  'tools',
  'toolChoice',
  'parallelToolCalls',
  'maxParallelToolCalls',
  'maxSteps',
  'toolTimeoutMs',
  'maxToolResultLength',
];

type Schema = { readonly [key: string]: Json };

/** Where calls run. */
export interface ExecutionContext extends Omit<ToolContext, 'toolCallId'> {
  readonly emit: (part: ChatPart) => void;
}

/** The tools of an answer: how they are described to the model, and how its calls are executed. */
export class ToolBox {
  readonly maxSteps: number;
  readonly #tools: Tools;
  readonly #schemas: ReadonlyMap<string, Schema>;
  readonly #options: ToolOptions;

  /** @throws InvalidArgumentError; ToolError INVALID_TOOL, TOOL_NOT_FOUND. */
  constructor(options: ToolOptions) {
    const { tools = {}, maxSteps = 8 } = options;
    if (typeof tools !== 'object' || tools === null || Array.isArray(tools))
      throw invalidArgument('tools', 'an object with tools by name', tools);
    checkBoolean('parallelToolCalls', options.parallelToolCalls);
    checkInteger('maxParallelToolCalls', options.maxParallelToolCalls, 1, 1000);
    checkInteger('maxSteps', options.maxSteps, 1, 1000);
    checkInteger('toolTimeoutMs', options.toolTimeoutMs, 1, 0x7fffffff);
    checkInteger('maxToolResultLength', options.maxToolResultLength, 1, 0x7fffffff);
    this.maxSteps = maxSteps;
    this.#tools = tools;
    this.#options = options;
    this.#schemas = new Map(Object.keys(tools).map((name) => [name, this.#readTool(name)]));
    checkRuleNames(Object.keys(tools));
    this.#checkChoice();
  }

  /** What the prompt of a step says of the tools. */
  promptOptions(step: number): Partial<PromptRequest> {
    if (this.#schemas.size === 0) return {};
    const { toolChoice = 'auto', parallelToolCalls = true, maxParallelToolCalls } = this.#options;
    const isLast = step > 1 && step >= this.maxSteps;
    const choice = isLast ? 'none' : step === 1 || toolChoice === 'none' ? toolChoice : 'auto';
    const only = typeof choice === 'object' ? choice.name : undefined;
    return {
      tools: [...this.#schemas]
        .filter(([name]) => only === undefined || name === only)
        .map(([name, parameters]) => ({
          type: 'function',
          function: { name, description: this.#tools[name]?.description ?? '', parameters },
        })),
      toolChoice: typeof choice === 'object' ? 'required' : choice,
      parallelToolCalls,
      maxParallelToolCalls,
    };
  }

  /** Whether these calls are for this process; one that nobody here executes hands all of them to the caller. */
  canExecute(calls: readonly ToolCall[]): boolean {
    return calls.every(({ name }) => {
      const tool = this.#find(name);
      return tool === undefined || tool.execute !== undefined;
    });
  }

  /** Runs calls at the same time; the results are messages in the order of the calls. */
  async execute(calls: readonly ToolCall[], context: ExecutionContext): Promise<ChatMessage[]> {
    return Promise.all(
      calls.map(async (call) => {
        const { result, content, error } = await this.#executeOne(call, context);
        const { id, name } = call;
        if (!context.signal.aborted)
          context.emit({ type: 'tool-result', id, name, result, ...(error && { error }) });
        return { role: 'tool', content, toolCallId: id, name };
      }),
    );
  }

  async #executeOne(call: ToolCall, { messages, signal }: ExecutionContext): Promise<ToolOutcome> {
    const tool = this.#find(call.name);
    if (tool === undefined) return failedOutcome(notFound(call.name, Object.keys(this.#tools)));
    const { toolTimeoutMs = 60_000, maxToolResultLength = 32_768 } = this.#options;
    const limits = { timeoutMs: toolTimeoutMs, maxResultLength: maxToolResultLength };
    const context = { messages, signal, toolCallId: call.id };
    return executeTool(call, tool, this.#schemas.get(call.name), context, limits);
  }

  #find(name: string) {
    return Object.hasOwn(this.#tools, name) ? this.#tools[name] : undefined;
  }

  #readTool(name: string): Schema {
    const tool = this.#tools[name];
    if (!/^[\w.-]{1,64}$/.test(name)) {
      throw invalidTool(
        name,
        'has a name that cannot be used. Expected 1 to 64 letters, digits, _, - and dots.',
      );
    }
    if (typeof tool !== 'object' || tool === null) throw invalidTool(name, 'is no object made by tool().');
    if (tool.description !== undefined && typeof tool.description !== 'string')
      throw invalidTool(name, 'has a description that is no string.');
    if (tool.execute !== undefined && typeof tool.execute !== 'function')
      throw invalidTool(name, 'has an execute that is no function.');
    return toParameterSchema(name, tool);
  }

  #checkChoice(): void {
    const { toolChoice } = this.#options;
    if (toolChoice === undefined || toolChoice === 'auto' || toolChoice === 'none') return;
    const name = typeof toolChoice === 'object' ? toolChoice?.name : undefined;
    if (toolChoice !== 'required' && typeof name !== 'string')
      throw invalidArgument('toolChoice', "'auto', 'required', 'none' or { name }", toolChoice);
    if (this.#schemas.size === 0)
      throw invalidArgument('toolChoice', 'tools beside it, or another choice', toolChoice);
    if (name !== undefined && this.#find(name) === undefined) throw notFound(name, Object.keys(this.#tools));
  }
}

/**
 * llama.cpp's grammar has a rule for each tool, whose name knows only letters, digits and hyphens, beside rules for the
 * calls themselves. Two rules of one name would leave out a tool, or make a call of calls without an end.
 */
function checkRuleNames(names: readonly string[]): void {
  const byRule = new Map<string, string>();
  for (const name of names) {
    const rule = name.replace(/[^a-zA-Z0-9-]+/g, '-');
    if (/^(?:calls?|call-root|call-first)$/.test(rule))
      throw invalidTool(
        name,
        "has a name that llama.cpp's grammars keep for themselves. Say what is called.",
      );
    const other = byRule.get(rule);
    if (other !== undefined)
      throw invalidTool(name, `has a name that differs from ${JSON.stringify(other)} only in its signs.`);
    byRule.set(rule, name);
  }
}

function notFound(name: string, known: readonly string[]): LlamaNativeError {
  const message = `There is no tool ${JSON.stringify(name)}. There are: ${known.join(', ')}.`;
  return createError('TOOL_NOT_FOUND', message, { details: { name } });
}
