import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../lib/chat/answer-reader.js';
import { isContentToEnd } from '../../lib/chat/content-to-end.js';
import type { ChatPart } from '../../lib/chat/types.js';

/** `</think>` may come once, then there is white space, then content; `delimiters` may end it. */
function parserWith(delimiters: readonly string[], last = 'end'): string {
  return JSON.stringify({
    parsers: [
      { type: 'literal', literal: '</think>' },
      { type: 'repetition', child: 0, min_count: 0, max_count: 1 },
      { type: 'until', delimiters },
      { type: 'tag', child: 2, tag: 'content' },
      { type: last },
      { type: 'sequence', children: [1, 3, 4] },
    ],
    rules: {},
    root: 5,
  });
}

describe('content goes on to the end', () => {
  it('where the parser takes the rest of the text as such', () => {
    expect(isContentToEnd('')).toBe(true);
    expect(isContentToEnd(parserWith([]))).toBe(true);
    expect(isContentToEnd(parserWith([], 'epsilon'))).toBe(true);
  });

  it('and nowhere else', () => {
    expect(isContentToEnd(parserWith(['<tool_call>']))).toBe(false);
    expect(isContentToEnd(parserWith([], 'literal'))).toBe(false);
    for (const odd of ['[]', '{"parsers":[],"root":0}', '{"parsers":{},"root":1}', 'null', 'no JSON']) {
      expect(isContentToEnd(odd)).toBe(false);
    }
  });
});

/** Reads thoughts before `</think>`, white space, and content. */
function readThinking(text: string) {
  const [thoughts = '', ...rest] = text.split('</think>');
  const isOver = rest.length > 0;
  return {
    content: isOver ? rest.join('</think>').trimStart() : '',
    reasoning: isOver ? thoughts : thoughts.replace(/<[^>]*$/, ''),
    toolCalls: [],
  };
}

async function read(pieces: readonly string[], contentToEnd: boolean) {
  const parts: ChatPart[] = [];
  let asked = 0;
  const parse = async (text: string) => {
    asked += 1;
    return readThinking(text);
  };
  const reader = new AnswerReader(parse, (part) => parts.push(part), contentToEnd);
  for (const piece of pieces) {
    reader.push(piece);
    await new Promise(setImmediate);
  }
  const { content, reasoning } = await reader.end(false);
  const shown = parts.map((part) => ('text' in part ? `${part.type}:${part.text}` : part.type));
  return { content, reasoning, shown, asked };
}

describe('an answer whose content goes on to the end', () => {
  const pieces = ['Let me', ' see</th', 'ink>\n\n', 'Hello', ' world</think>', '!'];

  it('is read until its content has begun, and once more at its end', async () => {
    const quick = await read(pieces, true);
    expect(quick.asked).toBe(5); // four pieces up to the first content, and the whole
    const slow = await read(pieces, false);
    expect(slow.asked).toBe(7);
    expect(quick).toEqual({ ...slow, asked: quick.asked });
    expect(quick.content).toBe('Hello world</think>!');
  });

  it('that arrives in one piece is read as well', async () => {
    const { content, shown } = await read([pieces.join('')], true);
    expect(content).toBe('Hello world</think>!');
    expect(shown).toEqual(['reasoning:Let me see', 'text:Hello world</think>!']);
  });
});
