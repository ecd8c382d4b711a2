import { abortError } from '../arguments.js';
import { LlamaNativeError, withDetails } from '../errors.js';
import { toSchemaText } from '../generate/check-json-schema.js';
import type { GenerateOptions, GenerationResult } from '../generate/types.js';
import { combineTimings, combineUsage } from './combine.js';
import type { PromptRequest } from './render.js';
import type { ToolBox } from './tool-box.js';
import { type ChatHost, runTurn, type Turn } from './turn.js';
import type { ChatFinishReason, ChatMessage, ChatPart, ChatRenderOptions, ChatResult } from './types.js';

/** An answer to make, with as many turns as its tools need. */
export interface AnswerRequest {
  readonly host: ChatHost;
  /** What was said before. An assistant's message at the end is continued. */
  readonly messages: readonly ChatMessage[];
  readonly render: ChatRenderOptions;
  readonly generate: GenerateOptions;
  readonly tools: ToolBox | undefined;
  /** Makes room in the context; returns what is left of the messages before the answer. */
  readonly makeRoom?: (
    messages: readonly ChatMessage[],
    added: readonly ChatMessage[],
  ) => Promise<ChatMessage[]>;
}

/**
 * What a step of an answer renders.
 * @param added how many of the messages are of this answer.
 */
export function toPromptRequest(
  messages: readonly ChatMessage[],
  { render, generate, tools }: Pick<AnswerRequest, 'render' | 'generate' | 'tools'>,
  step = 1,
  added = 0,
): PromptRequest {
  const { jsonSchema } = generate;
  return {
    ...render,
    messages,
    ...tools?.promptOptions(step),
    // A schema goes through the template, which knows what may come before the JSON: reasoning.
    ...(jsonSchema !== undefined && { jsonSchema: toSchemaText(jsonSchema) }),
    continueFinalMessage: messages.at(-1)?.role === 'assistant' && added === 0,
  };
}

/** Runs the turns of one answer. */
export class AnswerRun {
  readonly #request: AnswerRequest;
  readonly #emit: (part: ChatPart) => void;
  readonly #left = new AbortController();
  #before: readonly ChatMessage[];
  readonly #added: ChatMessage[] = [];
  readonly #generations: GenerationResult[] = [];
  #cancel: () => void = () => {};

  constructor(request: AnswerRequest, emit: (part: ChatPart) => void) {
    this.#request = request;
    this.#emit = emit;
    this.#before = request.messages;
  }

  /** What is left of the messages before the answer. */
  get before(): readonly ChatMessage[] {
    return this.#before;
  }

  /** Ends the answer early; it then results in what was made until now. */
  leave(): void {
    this.#left.abort();
    this.#cancel();
  }

  /** @throws what a turn throws; an AbortError has what belongs to the conversation in `details.messages`. */
  async run(): Promise<ChatResult> {
    try {
      return await this.#runTurns();
    } catch (error) {
      if (!LlamaNativeError.isInstance(error) || error.code !== 'ABORTED') throw error;
      const said = error.details.message as ChatMessage | undefined;
      const messages = [...closedPart(this.#added), ...(said === undefined ? [] : [withoutCalls(said)])];
      throw withDetails(error, { text: error.details.text ?? '', messages });
    }
  }

  async #runTurns(): Promise<ChatResult> {
    const { tools, makeRoom } = this.#request;
    for (let step = 1; ; step++) {
      if (makeRoom !== undefined) this.#before = await makeRoom(this.#before, this.#added);
      const turn = await this.#ask(step);
      this.#generations.push(turn.generation);
      if (turn.generation.finishReason !== 'stop') {
        const message = withoutCalls(turn.message);
        this.#added.push(message);
        return this.#finish(turn, message, turn.generation.finishReason);
      }
      this.#added.push(turn.message);
      const { toolCalls } = turn.answer;
      if (toolCalls.length === 0) return this.#finish(turn, turn.message, 'stop');
      if (tools === undefined || !tools.canExecute(toolCalls) || step >= tools.maxSteps) {
        return this.#finish(turn, turn.message, 'tool-calls');
      }
      const signal = this.#request.generate.signal;
      const signals = signal === undefined ? [this.#left.signal] : [signal, this.#left.signal];
      const results = await tools.execute(toolCalls, {
        messages: [...this.#before, ...this.#added],
        signal: AbortSignal.any(signals),
        emit: this.#emit,
      });
      if (signal?.aborted) throw abortError(signal, 'The answer');
      if (this.#left.signal.aborted) {
        this.#added.splice(0, this.#added.length, ...closedPart(this.#added), withoutCalls(turn.message));
        return this.#finish(turn, withoutCalls(turn.message), 'cancelled');
      }
      this.#added.push(...results);
    }
  }

  async #ask(step: number): Promise<Turn> {
    const { host } = this.#request;
    const { jsonSchema: _goesIntoThePrompt, ...generate } = this.#request.generate;
    return runTurn(host, {
      prompt: toPromptRequest([...this.#before, ...this.#added], this.#request, step, this.#added.length),
      generate,
      emit: this.#emit,
      onStart: (cancel) => {
        this.#cancel = cancel;
        if (this.#left.signal.aborted) cancel();
      },
    });
  }

  #finish(turn: Turn, message: ChatMessage, finishReason: ChatFinishReason): ChatResult {
    const { generation, answer } = turn;
    return {
      message,
      messages: [...this.#added],
      text: answer.text,
      reasoning: answer.reasoning,
      toolCalls: message.toolCalls ?? [],
      finishReason,
      ...(generation.stopString === undefined ? {} : { stopString: generation.stopString }),
      tokens: generation.tokens,
      ...(generation.logprobs && { logprobs: generation.logprobs }),
      steps: this.#generations.length,
      usage: combineUsage(this.#generations),
      timings: combineTimings(this.#generations),
    };
  }
}

/** A message that was cut off: its calls may be half written, and nobody will answer them. */
function withoutCalls({ toolCalls: _calls, ...message }: ChatMessage): ChatMessage {
  return message;
}

/** Without a last message whose calls have no results. */
function closedPart(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.at(-1)?.toolCalls === undefined ? [...messages] : messages.slice(0, -1);
}
