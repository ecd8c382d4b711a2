/** A message of a conversation. */
export interface ChatMessage {
  /** Who speaks: `system`, `user` or `assistant`; other roles are passed to the template as they are. */
  readonly role: string;
  readonly content: string;
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
