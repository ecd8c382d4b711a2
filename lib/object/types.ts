import type { ChatAnswerOptions, ChatMessage } from '../chat/types.js';
import type { FinishReason, Timings, Usage } from '../generate/types.js';
import type { FromJsonSchema, JsonSchemaObject, StandardSchema } from '../schema/types.js';

/** What an answer has to be: a JSON schema, or a schema of a library such as Zod 4. */
export type ObjectSchema = JsonSchemaObject | StandardSchema;

/** The type of what a schema gives. */
export type InferObject<Schema> =
  Schema extends StandardSchema<infer Output> ? Output : FromJsonSchema<Schema>;

/** The type of what the model writes for a schema, before the schema transforms it. */
export type InferObjectInput<Schema> = Schema extends {
  readonly '~standard': { readonly types?: { readonly input: infer Input } | undefined };
}
  ? Input
  : FromJsonSchema<Schema>;

/** A value that may end anywhere: without properties that are still to come, or without the rest of a text. */
export type DeepPartial<Value> = Value extends readonly (infer Item)[]
  ? DeepPartial<Item>[]
  : Value extends object
    ? { [Key in keyof Value]?: DeepPartial<Value[Key]> }
    : Value;

/** Options of {@link Model.generateObject} beside the form of the answer. */
export interface ObjectOptions
  extends Omit<
    ChatAnswerOptions,
    'jsonSchema' | 'regex' | 'choice' | 'grammar' | 'stop' | 'ignoreEndOfSequence' | 'logprobs'
  > {
  /** What the user says. Either this or `messages`. */
  prompt?: string;
  /** The conversation to answer; its last message is not of the assistant. */
  messages?: readonly ChatMessage[];
  /** The system prompt, in front of either. Default: none. */
  system?: string;
  /**
   * Let a model that can think do so before it writes its JSON; only beside a schema. Default false: the answer has its
   * form from the first character on.
   */
  enableThinking?: boolean;
}

/** Options of an answer that fits a schema. */
export interface SchemaObjectOptions<Schema extends ObjectSchema> extends ObjectOptions {
  schema: Schema;
  /** Tell the model the schema, behind what the user says. Default true. */
  schemaInPrompt?: boolean;
}

/** How often the model is asked again. */
export interface RetryOptions {
  /**
   * How often the model is asked again if the schema refuses its answer: it is told why. 0 to 10. Default 0. Only
   * schemas of libraries refuse answers, for what a grammar does not know of.
   */
  retries?: number;
}

/** Options of an answer that is one of several texts. */
export interface ChoiceObjectOptions<Choice extends string> extends ObjectOptions {
  choice: readonly Choice[];
}

/** Options of an answer that matches a regular expression from its beginning to its end. */
export interface RegexObjectOptions extends ObjectOptions {
  regex: RegExp;
}

/** Options of an answer that follows a grammar in GBNF. */
export interface GrammarObjectOptions extends ObjectOptions {
  grammar: string;
}

/** Options of an answer that is text in a form. */
export type TextObjectOptions = ChoiceObjectOptions<string> | RegexObjectOptions | GrammarObjectOptions;

/** Everything that says how an answer is made, whatever its form. */
export interface AnyObjectOptions extends ObjectOptions, RetryOptions {
  schema?: ObjectSchema;
  schemaInPrompt?: boolean;
  choice?: readonly string[];
  regex?: RegExp;
  grammar?: string;
}

/** An answer in its form. */
export interface ObjectResult<Value> {
  /** The answer, as its schema gives it; of other forms its text. */
  readonly object: Value;
  /** What the model wrote, without its thoughts. */
  readonly text: string;
  /** What it thought before, if `enableThinking` allowed that; else empty. */
  readonly reasoning: string;
  /** `stop`, or `length` if the answer was complete when `maxTokens` was reached. */
  readonly finishReason: FinishReason;
  /** Of all attempts together. */
  readonly usage: Usage;
  /** Of all attempts together. */
  readonly timings: Timings;
}

/**
 * A running answer in a form: iterate it for what is there so far, or await `result`; both may be done. It starts at
 * once. Leaving the loop early stops the work, and `result` then rejects with OBJECT_INCOMPLETE, unless the answer was
 * complete.
 */
export interface ObjectAnswer<Value, Partial, Item> extends AsyncIterable<Partial> {
  /** The items of an array, each when it is complete, as the model wrote them. Nothing for other forms. */
  readonly items: AsyncIterable<Item>;
  /** What the model thinks before it answers, as it comes, if `enableThinking` allows that. */
  readonly reasoningStream: AsyncIterable<string>;
  readonly result: Promise<ObjectResult<Value>>;
}

/** A running answer that fits a schema. */
export type SchemaObjectAnswer<Schema> = ObjectAnswer<
  InferObject<Schema>,
  DeepPartial<InferObjectInput<Schema>>,
  InferObjectInput<Schema> extends readonly (infer Item)[] ? Item : never
>;
