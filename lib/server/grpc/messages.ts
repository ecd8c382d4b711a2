/** The messages of proto/llama_native.proto, as @grpc/proto-loader reads and writes them. */

export interface SamplingMessage {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly typicalP?: number;
  readonly repeatPenalty?: number;
  readonly repeatLastTokens?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly seed?: number;
  readonly logitBias: Readonly<Record<string, number>>;
}

export interface FormMessage {
  readonly jsonSchema?: string;
  readonly regex?: string;
  readonly grammar?: string;
  readonly choice?: { readonly texts: readonly string[] } | null;
}

/** What requests that generate have in common. */
export interface AnswerFields {
  readonly model: string;
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  readonly sampling: SamplingMessage | null;
  readonly form: FormMessage | null;
}

export interface GenerateRequest extends AnswerFields {
  readonly prompt?: string;
  readonly tokens?: { readonly ids: readonly number[] } | null;
  readonly logprobs?: number;
  readonly parseSpecial?: boolean;
  readonly ignoreEndOfSequence?: boolean;
}

export interface ToolCallMessage {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

export interface ChatMessageMessage {
  readonly role: string;
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCallMessage[];
  readonly toolCallId: string;
  readonly name: string;
}

export interface ToolMessage {
  readonly name: string;
  readonly description: string;
  readonly parameters: string;
}

export interface ChatRequest extends AnswerFields {
  readonly messages: readonly ChatMessageMessage[];
  readonly tools: readonly ToolMessage[];
  readonly toolChoice: string;
  readonly parallelToolCalls?: boolean;
  readonly enableThinking?: boolean;
  readonly reasoningBudget?: number;
}

export interface EmbedRequest {
  readonly model: string;
  readonly texts: readonly string[];
  readonly pooling: string;
  readonly normalize?: boolean;
  readonly truncate?: boolean;
}

export interface TokenizeRequest {
  readonly model: string;
  readonly text: string;
  readonly addSpecial?: boolean;
  readonly parseSpecial?: boolean;
  readonly withPieces: boolean;
}

export interface DetokenizeRequest {
  readonly model: string;
  readonly tokens: readonly number[];
}
