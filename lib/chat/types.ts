import type { FinishReason, GenerateOptions, Timings, TokenLogprob, Usage } from '../generate/types.js';

/** A part of a message's content. Images are not supported yet and are refused with CONTENT_UNSUPPORTED. */
export interface TextContentPart {
  readonly type: 'text';
  readonly text: string;
}

/** What a message says: text, or parts of text. */
export type ChatContent = string | readonly TextContentPart[];

/** A call that the model asks for. */
export interface ToolCall {
  /** Tells the calls of one conversation apart; the result carries it too. */
  readonly id: string;
  readonly name: string;
  /** The parsed arguments; the text itself where the model wrote something that is not JSON. */
  readonly arguments: unknown;
}

/** A message of a conversation. */
export interface ChatMessage {
  /**
   * Who speaks: `system`, `user`, `assistant` or `tool`. {@link Model.applyChatTemplate} passes other roles to the
   * template as they are.
   */
  readonly role: 'system' | 'user' | 'assistant' | 'tool' | (string & {});
  readonly content: ChatContent;
  /** Of an assistant: what it thought before it answered. */
  readonly reasoning?: string;
  /** Of an assistant: the calls it asks for. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of a tool: the call that is answered. */
  readonly toolCallId?: string;
  /** Of a tool: its name. */
  readonly name?: string;
}

/** Options of {@link Model.applyChatTemplate}. */
export interface ChatTemplateOptions {
  /** A Jinja template. Default: the one given to `loadModel`, else the model's own. */
  template?: string;
  /** End with the beginning of an assistant message. Default true. */
  addGenerationPrompt?: boolean;
  /** Let a model that can think do so, where its template offers the choice. Default true. */
  enableThinking?: boolean;
  /** More variables for the template. */
  variables?: Readonly<Record<string, unknown>>;
  /** Text of the begin-of-sequence token; only together with `template`. Default: the vocabulary's. */
  beginOfSequence?: string;
  /** Text of the end-of-sequence token; only together with `template`. Default: the vocabulary's. */
  endOfSequence?: string;
}

/** A rendered conversation. */
export interface RenderedChat {
  /** The prompt for the model. */
  readonly prompt: string;
  /** The end of `prompt` that begins the assistant's message. */
  readonly generationPrompt: string;
  /** Texts at which generation should end, beside the model's own end token. */
  readonly stops: readonly string[];
}

/** Options of one answer that say how the conversation is rendered. */
export interface ChatRenderOptions {
  /** A Jinja template. Default: the one given to `loadModel`, else the model's own. */
  template?: string;
  /** Let a model that can think do so, where its template offers the choice. Default true. */
  enableThinking?: boolean;
  /** More variables for the template. */
  variables?: Readonly<Record<string, unknown>>;
  /**
   * Most tokens that a thinking model may think; then it has to answer. 0 ends its reasoning at once. Only for templates
   * that mark reasoning. Default: no limit.
   */
  reasoningBudget?: number;
  /**
   * Let control tokens that are written in messages, such as `<|im_start|>`, be control tokens. Default false: they are
   * plain text to the model, whoever wrote them.
   */
  allowControlTokens?: boolean;
}

/** Options of an answer: those of generation, and those of the conversation. */
export interface ChatAnswerOptions
  extends Omit<GenerateOptions, 'addSpecial' | 'parseSpecial'>,
    ChatRenderOptions {}

/**
 * A piece of an answer as it is made. `text` and `reasoning` come as what was added. A call comes several times while
 * its arguments grow, with all of their text so far, and at last with `complete: true` and the parsed arguments.
 */
export type ChatPart = TextPart | ReasoningPart | ToolCallPart | ToolResultPart;

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** What a thinking model thinks before it answers. */
export interface ReasoningPart {
  readonly type: 'reasoning';
  readonly text: string;
}

/** A call that the model asks for. */
export type ToolCallPart = {
  readonly type: 'tool-call';
  readonly id: string;
  readonly name: string;
  /** The arguments as JSON text, as far as they are written. */
  readonly argumentsText: string;
} & (
  | { readonly complete: false }
  | {
      readonly complete: true;
      /** The parsed arguments; `argumentsText` itself if it is not JSON. */
      readonly arguments: unknown;
    }
);

/** A tool has run, and the model is given this. */
export interface ToolResultPart {
  readonly type: 'tool-result';
  readonly id: string;
  readonly name: string;
  /** What `execute` returned; undefined if it failed. */
  readonly result: unknown;
  /** What went wrong; the model is told its message. */
  readonly error?: Error;
}

/**
 * Why an answer ended: as of a generation; `tool-calls` the model asks for calls that nobody here executes, or
 * `maxSteps` was reached.
 */
export type ChatFinishReason = FinishReason | 'tool-calls';

/** A finished answer. */
export interface ChatResult {
  /** The last message of the model; when one was continued, the whole of it. */
  readonly message: ChatMessage;
  /** All that this answer added to the conversation: calls, results of tools, and the last message. */
  readonly messages: readonly ChatMessage[];
  /** What the last message says; when one was continued, what was added. */
  readonly text: string;
  /** What was thought before the last message; empty if nothing was. */
  readonly reasoning: string;
  /** The calls of the last message, if nobody executed them. */
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: ChatFinishReason;
  /** The stop string that ended it, if one did. */
  readonly stopString?: string;
  /** The tokens of the last message, control tokens included. */
  readonly tokens: readonly number[];
  /** One entry for each token, if `logprobs` asked for them. */
  readonly logprobs?: readonly TokenLogprob[];
  /** How often the model was asked: 1 without tools. */
  readonly steps: number;
  /** Of all steps together. */
  readonly usage: Usage;
  /** Of all steps together, without the time that tools took. */
  readonly timings: Timings;
}

/**
 * A running answer: iterate it for parts, or await `result`; both may be done. It starts at once. Leaving the loop
 * early stops the work, and `result` then holds what was made until then.
 */
export interface ChatAnswer extends AsyncIterable<ChatPart> {
  /** Only what the text parts say, for those who want nothing else. */
  readonly textStream: AsyncIterable<string>;
  readonly result: Promise<ChatResult>;
}
