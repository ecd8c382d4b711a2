/** Who wrote a message. */
export type MessageRole = 'user' | 'assistant';

/** Why an answer is as long as it is; missing while it is being written, or when the page was closed before its end. */
export type AnswerEnd = 'complete' | 'length' | 'stopped' | 'failed';

/** What went wrong with an answer. */
export interface AnswerFailure {
  readonly message: string;
  /** The server's code, such as `context_length_exceeded`. */
  readonly code?: string;
  readonly status?: number;
}

/** Counts and times of an answer. */
export interface AnswerFigures {
  readonly promptTokens?: number;
  /** Those of the prompt that were in the KV cache already. */
  readonly cachedTokens?: number;
  readonly completionTokens?: number;
  /** From sending the request to the first token. */
  readonly firstTokenMs?: number;
  readonly totalMs?: number;
  /** While tokens came. */
  readonly tokensPerSecond?: number;
}

/** A message of a conversation; a place in its tree. */
export interface Message {
  readonly id: string;
  /** What it answers or follows; missing for the first message and its versions. */
  readonly parent?: string;
  readonly role: MessageRole;
  readonly text: string;
  readonly reasoning?: string;
  readonly reasoningMs?: number;
  readonly createdMs: number;
  /** Which model wrote it. */
  readonly model?: string;
  /** The answer was held to JSON. */
  readonly isJson?: boolean;
  readonly end?: AnswerEnd;
  readonly failure?: AnswerFailure;
  readonly figures?: AnswerFigures;
  /** What follows it, each a version of the other, in the order in which they were made. */
  readonly children: readonly string[];
  /** The one of them that is shown. */
  readonly selected?: string;
}

/** What the list of conversations shows. */
export interface ConversationSummary {
  readonly id: string;
  readonly title: string;
  /** The user gave the title, so that it stays. */
  readonly hasOwnTitle: boolean;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** A conversation: a tree of messages, one path of which is shown. Never changed in place. */
export interface Conversation extends ConversationSummary {
  readonly messages: Readonly<Record<string, Message>>;
  /** The first message and its versions. */
  readonly first: readonly string[];
  readonly selected?: string;
}
