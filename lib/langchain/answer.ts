import { AIMessage, AIMessageChunk, type UsageMetadata } from '@langchain/core/messages';
import { type ChatFace, countReasoningTokens, modelName } from '../ecosystem/model-face.js';
import type { DroppedKeyword } from '../ecosystem/widen-schema.js';
import type { ChatPart, ChatResult, ToolCall } from '../index.js';

/**
 * How many tokens were read and made. LangChain infers the type of this field to be undefined where optional properties
 * are exact, so it is passed on without one.
 */
async function toUsage(model: ChatFace, result: ChatResult): Promise<UsageMetadata> {
  const { promptTokens, cachedTokens, completionTokens } = result.usage;
  return {
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    input_token_details: { cache_read: cachedTokens },
    output_token_details: {
      reasoning: await countReasoningTokens(model, result.reasoning, completionTokens),
    },
  };
}

function toMetadata(model: ChatFace, result: ChatResult, dropped: readonly DroppedKeyword[]) {
  return {
    model_provider: 'llama-native',
    model_name: modelName(model),
    finish_reason: result.finishReason,
    ...(result.stopString !== undefined && { stop_string: result.stopString }),
    ...(dropped.length > 0 && {
      dropped_schema_keywords: dropped.map(({ path, keyword }) => `${path} ${keyword}`),
    }),
    timings: { ...result.timings },
  };
}

function isCallable({ arguments: input }: ToolCall): boolean {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

/** A finished answer as a message. */
export async function toMessage(
  model: ChatFace,
  result: ChatResult,
  dropped: readonly DroppedKeyword[],
): Promise<AIMessage> {
  const { text, reasoning, toolCalls } = result;
  return new AIMessage({
    content: text,
    additional_kwargs: reasoning === '' ? {} : { reasoning_content: reasoning },
    tool_calls: toolCalls.filter(isCallable).map(({ id, name, arguments: args }) => ({
      type: 'tool_call',
      id,
      name,
      args: args as Record<string, unknown>,
    })),
    invalid_tool_calls: toolCalls
      .filter((call) => !isCallable(call))
      .map(({ id, name, arguments: args }) => ({
        type: 'invalid_tool_call',
        id,
        name,
        args: typeof args === 'string' ? args : JSON.stringify(args),
        error: 'The arguments are not a JSON object.',
      })),
    usage_metadata: (await toUsage(model, result)) as never, // see toUsage
    response_metadata: toMetadata(model, result, dropped),
  });
}

/** Makes chunks, which LangChain adds up to a message, from the parts of an answer. */
export class ChunkMaker {
  readonly #model: ChatFace;
  /** The arguments that were given of each call, in the order of the calls. */
  readonly #calls = new Map<string, { readonly index: number; text: string }>();

  constructor(model: ChatFace) {
    this.#model = model;
  }

  /** What a part adds; undefined for nothing. */
  chunkOf(part: ChatPart): AIMessageChunk | undefined {
    if (part.type === 'text') return new AIMessageChunk({ content: part.text });
    if (part.type === 'reasoning')
      return new AIMessageChunk({ content: '', additional_kwargs: { reasoning_content: part.text } });
    if (part.type !== 'tool-call') return undefined;
    const known = this.#calls.get(part.id);
    const shown = known?.text ?? '';
    const args = part.argumentsText.startsWith(shown) ? part.argumentsText.slice(shown.length) : '';
    const call = known ?? { index: this.#calls.size, text: '' };
    this.#calls.set(part.id, call);
    call.text = part.argumentsText;
    if (known !== undefined && args === '') return undefined;
    // LangChain joins the texts of the chunks of one call: its name and id come once.
    const first = known === undefined ? { id: part.id, name: part.name } : {};
    return new AIMessageChunk({
      content: '',
      tool_call_chunks: [{ type: 'tool_call_chunk', index: call.index, args, ...first }],
    });
  }

  /** The last chunk, with what is only known at the end. */
  async end(result: ChatResult, dropped: readonly DroppedKeyword[]): Promise<AIMessageChunk> {
    return new AIMessageChunk({
      content: '',
      usage_metadata: (await toUsage(this.#model, result)) as never, // see toUsage
      response_metadata: toMetadata(this.#model, result, dropped),
    });
  }
}
