import { LlamaNativeError, withDetails } from '../errors.js';
import type { GenerationStream } from '../generate/generation-stream.js';
import type { GenerateOptions, GenerationResult } from '../generate/types.js';
import { AnswerReader, type ParseAnswer, type ReadAnswer } from './answer-reader.js';
import { isContentToEnd } from './content-to-end.js';
import type { PromptRequest, RenderedPrompt } from './render.js';
import type { ChatMessage, ChatPart } from './types.js';

/** What a chat needs of its model. */
export interface ChatHost {
  /** Tokens that the context holds in all. */
  readonly contextSize: number;
  renderPrompt(request: PromptRequest): Promise<RenderedPrompt>;
  /** How an answer to a rendered prompt is read; `isContinuation` if it goes on from one in the prompt. */
  createAnswerParser(rendered: RenderedPrompt, isContinuation: boolean): Promise<ParseAnswer>;
  /** Starts a generation whose prompt is still being rendered. */
  generateRendered(prompt: Promise<RenderedPrompt>, options: GenerateOptions): GenerationStream;
}

/** One time that the model is asked. */
export interface TurnRequest {
  readonly prompt: PromptRequest;
  readonly generate: GenerateOptions;
  readonly emit: (part: ChatPart) => void;
  /** Gets what ends the turn early. */
  readonly onStart: (cancel: () => void) => void;
}

/** What came of it. */
export interface Turn {
  readonly answer: ReadAnswer;
  readonly message: ChatMessage;
  readonly generation: GenerationResult;
}

/** The message of an assistant who has written this. */
export function toAssistantMessage(answer: ReadAnswer): ChatMessage {
  const { content, reasoning, toolCalls } = answer;
  return {
    role: 'assistant',
    content,
    ...(reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

async function createReader(
  host: ChatHost,
  rendered: RenderedPrompt,
  { prompt, emit }: TurnRequest,
): Promise<AnswerReader> {
  const isContinuation = prompt.continueFinalMessage === true;
  const reader = new AnswerReader(
    await host.createAnswerParser(rendered, isContinuation),
    emit,
    isContentToEnd(rendered.parser),
  );
  if (isContinuation) await reader.begin();
  return reader;
}

/**
 * Asks the model once: renders, generates, and reads what it writes.
 * @throws AbortError with what was made in `details.message`, if anything was; ChatError CHAT_OUTPUT_INVALID, and what
 * rendering and generating throw.
 */
export async function runTurn(host: ChatHost, request: TurnRequest): Promise<Turn> {
  const rendering = host.renderPrompt(request.prompt);
  const generation = host.generateRendered(rendering, request.generate);
  request.onStart(() => generation.cancel());
  let reader: AnswerReader | undefined;
  try {
    for await (const { text } of generation) {
      reader ??= await createReader(host, await rendering, request);
      if (text !== '') reader.push(text);
    }
  } catch (error) {
    throw await withMessage(error, reader);
  }
  const result = await generation.result;
  reader ??= await createReader(host, await rendering, request);
  const answer = await readAll(reader, result);
  return { answer, message: toAssistantMessage(answer), generation: result };
}

async function readAll(reader: AnswerReader, result: GenerationResult): Promise<ReadAnswer> {
  try {
    return await reader.end(result.finishReason !== 'stop');
  } catch (error) {
    if (!LlamaNativeError.isInstance(error)) throw error;
    throw withDetails(error, { text: result.text });
  }
}

/** What was said before the signal fired was heard, so the error carries it. */
async function withMessage(error: unknown, reader: AnswerReader | undefined): Promise<unknown> {
  const aborted = LlamaNativeError.isInstance(error) && error.code === 'ABORTED';
  const answer = await reader?.end(true).catch(() => undefined);
  if (!aborted || answer === undefined) return error;
  return withDetails(error, { text: answer.text, message: toAssistantMessage(answer) });
}
