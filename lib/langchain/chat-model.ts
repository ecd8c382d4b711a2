import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type {
  BaseLanguageModelInput,
  StructuredOutputMethodOptions,
} from '@langchain/core/language_models/base';
import {
  BaseChatModel,
  type BaseChatModelParams,
  type BindToolsInput,
  type LangSmithParams,
} from '@langchain/core/language_models/chat_models';
import type { AIMessageChunk, BaseMessage, MessageContent } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import type { SerializableSchema } from '@langchain/core/utils/standard_schema';
import { type ChatFace, modelName } from '../ecosystem/model-face.js';
import { ChunkMaker, toMessage } from './answer.js';
import { type AnswerOptions, type ChatLlamaNativeCallOptions, pickAnswerOptions } from './options.js';
import { type StartedAnswer, startAnswer } from './start.js';
import { type OutputSchema, structuredOutput } from './structured-output.js';

/** What {@link ChatLlamaNative} is made from: a model, defaults for its answers, and LangChain's own options. */
export interface ChatLlamaNativeFields extends BaseChatModelParams, AnswerOptions {
  /** From `loadModel`. Whoever loaded it closes it. */
  model: ChatFace;
  /** Texts at which answers end. Default: none. */
  stop?: string[];
}

/**
 * A loaded model as a chat model of LangChain.
 *
 * @example
 * ```ts
 * import { ChatLlamaNative } from 'llama-native/langchain';
 *
 * const chat = new ChatLlamaNative({ model, temperature: 0, maxTokens: 20 });
 * const answer = await chat.invoke('What is the capital of France?');
 * console.log(answer.text, answer.usage_metadata);
 * ```
 */
export class ChatLlamaNative extends BaseChatModel<ChatLlamaNativeCallOptions, AIMessageChunk> {
  readonly model: ChatFace;
  readonly #defaults: AnswerOptions & { stop?: string[] };

  constructor({ model, stop, ...others }: ChatLlamaNativeFields) {
    super(others);
    this.model = model;
    this.#defaults = { ...pickAnswerOptions(others), ...(stop && { stop }) };
  }

  static override lc_name(): string {
    return 'ChatLlamaNative';
  }

  override _llmType(): string {
    return 'llama-native';
  }

  /** What an answer depends on, for caches. */
  override _identifyingParams(): Record<string, unknown> {
    return { model_name: modelName(this.model), ...this.#defaults };
  }

  override invocationParams(options: this['ParsedCallOptions']): Record<string, unknown> {
    const { stop, tools, tool_choice } = options;
    return { ...this._identifyingParams(), ...pickAnswerOptions(options), stop, tools, tool_choice };
  }

  override getLsParams(options: this['ParsedCallOptions']): LangSmithParams {
    const { temperature, maxTokens, stop } = { ...this.#defaults, ...options };
    return {
      ls_provider: 'llama-native',
      ls_model_name: modelName(this.model),
      ls_model_type: 'chat',
      ...(temperature !== undefined && { ls_temperature: temperature }),
      ...(maxTokens !== undefined && { ls_max_tokens: maxTokens }),
      ...(stop !== undefined && { ls_stop: stop }),
    };
  }

  /** Counts tokens with the model's own vocabulary. */
  override async getNumTokens(content: MessageContent): Promise<number> {
    const text =
      typeof content === 'string'
        ? content
        : content.map((part) => ('text' in part ? part.text : '')).join('\n');
    return (await this.model.tokenize(text, { addSpecial: false })).length;
  }

  override bindTools(
    tools: BindToolsInput[],
    options: Partial<ChatLlamaNativeCallOptions> = {},
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, ChatLlamaNativeCallOptions> {
    return this.withConfig({ tools, ...options });
  }

  /**
   * A chain that ends in an object of a schema. By default a grammar holds the answer to it; the method
   * `functionCalling` makes the model call a tool instead, and `jsonMode` asks for any JSON object.
   */
  // biome-ignore-start lint/suspicious/noExplicitAny: LangChain's own types say any
  override withStructuredOutput<Output extends Record<string, any> = Record<string, any>>(
    schema: SerializableSchema<Output>,
    config?: StructuredOutputMethodOptions<false>,
  ): Runnable<BaseLanguageModelInput, Output>;
  override withStructuredOutput<Output extends Record<string, any> = Record<string, any>>(
    schema: SerializableSchema<Output>,
    config?: StructuredOutputMethodOptions<true>,
  ): Runnable<BaseLanguageModelInput, { raw: BaseMessage; parsed: Output }>;
  override withStructuredOutput<Output extends Record<string, any> = Record<string, any>>(
    schema: OutputSchema<Output>,
    config?: StructuredOutputMethodOptions<false>,
  ): Runnable<BaseLanguageModelInput, Output>;
  override withStructuredOutput<Output extends Record<string, any> = Record<string, any>>(
    schema: OutputSchema<Output>,
    config?: StructuredOutputMethodOptions<true>,
  ): Runnable<BaseLanguageModelInput, { raw: BaseMessage; parsed: Output }>;
  override withStructuredOutput(
    schema: OutputSchema<Record<string, any>>,
    config: StructuredOutputMethodOptions<boolean> = {},
  ): Runnable<BaseLanguageModelInput, any> {
    return structuredOutput(this, schema, config);
  }
  // biome-ignore-end lint/suspicious/noExplicitAny: LangChain's own types say any

  override async _generate(messages: BaseMessage[], options: this['ParsedCallOptions']): Promise<ChatResult> {
    const { answer, dropped } = this.#start(messages, options);
    const result = await answer.result;
    const { promptTokens, completionTokens } = result.usage;
    const totalTokens = promptTokens + completionTokens;
    return {
      generations: [{ text: result.text, message: await toMessage(this.model, result, dropped) }],
      llmOutput: { tokenUsage: { promptTokens, completionTokens, totalTokens } },
    };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { answer, dropped } = this.#start(messages, options);
    const maker = new ChunkMaker(this.model);
    for await (const part of answer) {
      const message = maker.chunkOf(part);
      if (message === undefined) continue;
      const text = part.type === 'text' ? part.text : '';
      const chunk = new ChatGenerationChunk({ text, message });
      yield chunk;
      await runManager?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk });
    }
    yield new ChatGenerationChunk({ text: '', message: await maker.end(await answer.result, dropped) });
  }

  #start(messages: readonly BaseMessage[], options: this['ParsedCallOptions']): StartedAnswer {
    return startAnswer(this.model, messages, { ...this.#defaults, ...options });
  }
}
