import { invalidArgument } from '../arguments.js';
import { textOfContent } from './check-messages.js';
import type { PromptRequest } from './render.js';
import { type ChatHost, runTurn } from './turn.js';
import type { ChatMessage } from './types.js';

/**
 * What a chat does when its history no longer fits the context: `error` fails with PROMPT_TOO_LONG, `drop-oldest`
 * forgets the oldest exchanges, `summarize` has the model sum them up. The system prompt always stays.
 */
export type OverflowPolicy = 'error' | 'drop-oldest' | 'summarize';

const policies: readonly unknown[] = ['error', 'drop-oldest', 'summarize'];

/** @throws InvalidArgumentError. */
export function checkOverflow(policy: OverflowPolicy | undefined): void {
  if (policy === undefined || policies.includes(policy)) return;
  throw invalidArgument('overflow', "'error', 'drop-oldest' or 'summarize'", policy);
}

/** A request whose messages may be too many. */
export interface FitRequest {
  readonly host: ChatHost;
  readonly policy: OverflowPolicy;
  readonly prompt: Omit<PromptRequest, 'messages'>;
  readonly maxTokens: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The messages of a system prompt, and the exchanges behind them: each begins with a message of the user. */
function splitTurns(messages: readonly ChatMessage[]): { system: ChatMessage[]; turns: ChatMessage[][] } {
  const system: ChatMessage[] = [];
  const turns: ChatMessage[][] = [];
  for (const message of messages) {
    if (turns.length === 0 && message.role === 'system') system.push(message);
    else if (turns.length === 0 || message.role === 'user') turns.push([message]);
    else turns.at(-1)?.push(message);
  }
  return { system, turns };
}

async function countTokens(request: FitRequest, messages: readonly ChatMessage[]): Promise<number> {
  const { tokens } = await request.host.renderPrompt({ ...request.prompt, messages });
  return tokens.length;
}

/** A request for a summary beside the conversation is no part of it. */
const summaryRequest =
  'Sum up our conversation until here in a few sentences. Keep names, numbers, decisions and open questions. ' +
  'Answer with the summary alone.';

const summaryHeading = 'Summary of the conversation so far:';

async function summarize(
  request: FitRequest,
  system: readonly ChatMessage[],
  turns: readonly ChatMessage[][],
): Promise<string> {
  const { host, prompt, signal } = request;
  const { contextSize } = host;
  const length = Math.max(16, Math.floor(contextSize / 8));
  const question: ChatMessage = { role: 'user', content: summaryRequest };
  let told = [...turns];
  const { tools: _tools, ...plain } = prompt;
  const withoutTools = { ...request, prompt: plain };
  while (
    told.length > 1 &&
    (await countTokens(withoutTools, [...system, ...told.flat(), question])) > contextSize - length
  ) {
    told = told.slice(1);
  }
  const { answer } = await runTurn(host, {
    prompt: { ...plain, enableThinking: false, messages: [...system, ...told.flat(), question] },
    generate: { temperature: 0, maxTokens: length, ...(signal && { signal }) },
    emit: () => {},
    onStart: () => {},
  });
  return answer.text.trim();
}

function withSummary(system: readonly ChatMessage[], summary: string): ChatMessage[] {
  const before = system.map(({ content }) => textOfContent(content)).join('\n\n');
  const own = before.split(`\n\n${summaryHeading}`)[0] ?? '';
  const content = own.startsWith(summaryHeading) ? '' : own;
  return [{ role: 'system', content: `${content}\n\n${summaryHeading}\n${summary}`.trim() }];
}

/**
 * Makes room for an answer, if there is none.
 * @param added what the answer has added already; it stays, like the last exchange.
 * @returns the messages before the answer that are left.
 * @throws ContextError PROMPT_TOO_LONG if the system prompt and the last exchange alone are too long.
 */
export async function fitMessages(
  request: FitRequest,
  messages: readonly ChatMessage[],
  added: readonly ChatMessage[],
): Promise<ChatMessage[]> {
  const { contextSize } = request.host;
  const forAnswer = Math.min(request.maxTokens ?? contextSize / 4, contextSize / 2);
  const room = contextSize - Math.ceil(forAnswer);
  if ((await countTokens(request, [...messages, ...added])) <= room) return [...messages];
  const { system, turns } = splitTurns(messages);
  // Once something has to go, enough goes that the next answers find their prefix in the cache.
  const target = Math.floor(room * 0.75);
  let kept = turns;
  const tooLong = async (head: readonly ChatMessage[]) =>
    (await countTokens(request, [...head, ...kept.flat(), ...added])) > target;
  while (kept.length > 1 && (await tooLong(system))) kept = kept.slice(1);
  const dropped = turns.slice(0, turns.length - kept.length);
  if (dropped.length === 0) return [...messages]; // the last exchange alone is long: it may still fit
  if (request.policy === 'drop-oldest') return [...system, ...kept.flat()];
  const head = withSummary(system, await summarize(request, system, dropped));
  while (kept.length > 1 && (await tooLong(head))) kept = kept.slice(1);
  return [...head, ...kept.flat()];
}
