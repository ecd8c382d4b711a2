import type { ChatMessage, ToolCall } from '../../index.js';
import { invalidField } from '../failures.js';
import { readArray, readObject, readText, unexpected } from '../openai/checks.js';
import { type PlacedBlock, readBlocks, textOfBlock, unsupportedBlock } from './blocks.js';

/** All that one side says until the other does. */
interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly blocks: PlacedBlock[];
  /** Its first message, as a client calls it. */
  readonly param: string;
}

/** Messages of one role that follow each other are one turn, since many templates want roles to alternate. */
function toTurns(messages: readonly unknown[]): Turn[] {
  const turns: Turn[] = [];
  messages.forEach((item, index) => {
    const param = `messages[${index}]`;
    const { role, content } = readObject(item, param, 'an object with role and content');
    if (role !== 'user' && role !== 'assistant' && role !== 'system') {
      throw unexpected(`${param}.role`, '"user", "assistant" or "system"', role);
    }
    const blocks = readBlocks(content, `${param}.content`);
    const last = turns.at(-1);
    if (last?.role === role) last.blocks.push(...blocks);
    else turns.push({ role, blocks, param });
  });
  return turns;
}

/**
 * What Claude Code puts before its system prompt for accounting. It changes with each request, so it would keep all that
 * follows it from being found in the prefix cache.
 */
const accountingHeader = 'x-anthropic-billing-header:';

function textOfSystem(blocks: readonly PlacedBlock[]): string {
  return blocks
    .map(textOfBlock)
    .filter((text) => !text.startsWith(accountingHeader))
    .join('\n');
}

function readToolUse({ block, param }: PlacedBlock): ToolCall {
  return {
    id: readText(block.id, `${param}.id`),
    name: readText(block.name, `${param}.name`),
    arguments: readObject(block.input, `${param}.input`),
  };
}

function readToolResult({ block, param }: PlacedBlock): string {
  const { content = '', is_error: isError } = block;
  const text = readBlocks(content ?? '', `${param}.content`)
    .map(textOfBlock)
    .join('\n');
  return isError === true ? `Error: ${text}` : text;
}

/** Turns the turns of a conversation into messages, and watches that each call has its result. */
class Conversation {
  readonly messages: ChatMessage[] = [];
  /** The calls that wait for a result, with the names of their tools. */
  #open = new Map<string, string>();

  add(turn: Turn): void {
    const results =
      turn.role === 'user' ? turn.blocks.filter(({ block }) => block.type === 'tool_result') : [];
    for (const result of results) this.#addResult(result);
    this.checkAnswered(turn.param);
    if (turn.role === 'assistant') this.#addAssistant(turn);
    else this.#addText(turn, results.length > 0);
  }

  /** @throws RequestError 400 if a call has no result. */
  checkAnswered(param: string): void {
    if (this.#open.size === 0) return;
    const ids = [...this.#open.keys()].join(', ');
    throw invalidField(
      param,
      `Expected ${param} to hold a tool_result block for each tool_use block of the message before it; there is none for: ${ids}.`,
    );
  }

  #addResult(placed: PlacedBlock): void {
    const param = `${placed.param}.tool_use_id`;
    const id = readText(placed.block.tool_use_id, param);
    const name = this.#open.get(id);
    if (name === undefined) {
      throw unexpected(param, 'the id of a tool_use block of the message before it, once', id);
    }
    this.#open.delete(id);
    this.messages.push({ role: 'tool', content: readToolResult(placed), toolCallId: id, name });
  }

  #addText({ role, blocks, param }: Turn, hasResults: boolean): void {
    const said = blocks.filter(({ block }) => block.type !== 'tool_result' || role === 'system');
    if (said.length === 0 && hasResults) return;
    if (said.length === 0) throw unexpected(`${param}.content`, 'at least one block', blocks);
    const content = role === 'system' ? textOfSystem(said) : said.map(textOfBlock).join('\n');
    this.messages.push({ role, content });
  }

  #addAssistant({ blocks }: Turn): void {
    const texts: string[] = [];
    const thoughts: string[] = [];
    const toolCalls: ToolCall[] = [];
    for (const placed of blocks) {
      const { block, param } = placed;
      if (block.type === 'text') texts.push(textOfBlock(placed));
      else if (block.type === 'thinking') thoughts.push(readText(block.thinking, `${param}.thinking`));
      else if (block.type === 'tool_use') toolCalls.push(readToolUse(placed));
      else if (block.type !== 'redacted_thinking') {
        throw unsupportedBlock(`${param}.type`, block.type, '"text", "thinking" or "tool_use"');
      }
      const call = block.type === 'tool_use' ? toolCalls.at(-1) : undefined;
      if (call === undefined) continue;
      if (this.#open.has(call.id)) throw unexpected(`${param}.id`, 'another id for each call', call.id);
      this.#open.set(call.id, call.name);
    }
    const reasoning = thoughts.join('');
    this.messages.push({
      role: 'assistant',
      content: texts.join(''),
      ...(reasoning !== '' && { reasoning }),
      ...(toolCalls.length > 0 && { toolCalls }),
    });
  }
}

function isNothing({ role, content, reasoning }: ChatMessage): boolean {
  return role === 'assistant' && content === '' && reasoning === undefined;
}

/**
 * The messages of a request, the system prompt first. A last message of the assistant is the beginning of the answer.
 * @throws RequestError 400 naming the field, also for images.
 */
export function readConversation(system: unknown, value: unknown): ChatMessage[] {
  const list = readArray(value, 'messages', 'an array of messages');
  if (list.length === 0) throw unexpected('messages', 'at least one message', list);
  const conversation = new Conversation();
  for (const turn of toTurns(list)) conversation.add(turn);
  conversation.checkAnswered('messages');
  const { messages } = conversation;
  const last = messages.at(-1);
  if (last !== undefined && isNothing(last)) messages.pop(); // no beginning at all
  if (messages.length === 0) throw unexpected('messages', 'a message of the user', list);
  const instruction =
    system === undefined || system === null ? '' : textOfSystem(readBlocks(system, 'system'));
  return instruction === '' ? messages : [{ role: 'system', content: instruction }, ...messages];
}
