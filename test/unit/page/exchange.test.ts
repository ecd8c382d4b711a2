import { describe, expect, it } from 'vitest';
import { fromExchangeText, ImportFailure, toExchangeText } from '../../../page/conversation/exchange.js';
import { appendMessage, createConversation } from '../../../page/conversation/tree.js';
import type { Conversation } from '../../../page/conversation/types.js';

const question = { id: 'q', role: 'user', text: '你好 <b>', createdMs: 1 } as const;
const reply = {
  id: 'a',
  parent: 'q',
  role: 'assistant',
  text: 'Hi',
  reasoning: 'Hm',
  createdMs: 2,
  end: 'complete',
  figures: { completionTokens: 1 },
} as const;
const talk = appendMessage(appendMessage(createConversation('c', 0), question), reply);

/** A conversation whose fields may be anything. */
interface Broken {
  messages?: unknown;
  first: string[];
  [field: string]: unknown;
}

type BrokenMessage = Record<string, unknown> & { children: string[] };

function messageOf(broken: Broken, id: string): BrokenMessage {
  return (broken.messages as Record<string, BrokenMessage>)[id] as BrokenMessage;
}

function reasonOf(change: (broken: Broken) => void): string {
  const file = JSON.parse(toExchangeText([talk]));
  change(file.conversations[0]);
  try {
    fromExchangeText(JSON.stringify(file));
  } catch (error) {
    if (error instanceof ImportFailure) return error.reason;
    throw error;
  }
  return 'taken';
}

describe('conversations in a file', () => {
  it('come back as they were', () => {
    expect(fromExchangeText(toExchangeText([talk]))).toEqual([talk]);
  });

  it('are left without what the page does not know', () => {
    const file = JSON.parse(toExchangeText([talk]));
    file.conversations[0].messages.a.onclick = 'alert(1)';
    file.conversations[0].messages.a.figures.completionTokens = 'many';
    const [taken] = fromExchangeText(JSON.stringify(file)) as [Conversation];
    expect(taken.messages.a).not.toHaveProperty('onclick');
    expect(taken.messages.a?.figures).toEqual({});
  });

  it.each([
    ['not JSON', 'notJson'],
    ['[]', 'otherFormat'],
    ['{"format":"another","conversations":[]}', 'otherFormat'],
    ['null', 'otherFormat'],
  ])('are not found in %s', (text, reason) => {
    expect(() => fromExchangeText(text)).toThrow(expect.objectContaining({ reason }));
  });

  it.each<[string, (broken: Broken) => void]>([
    ['has no messages', (broken) => delete broken.messages],
    ['names a message that is not there', (broken) => broken.first.push('gone')],
    ['names a message of Object itself', (broken) => broken.first.push('constructor')],
    ['names a message twice', (broken) => messageOf(broken, 'q').children.push('a')],
    ['goes round in a circle', (broken) => messageOf(broken, 'a').children.push('q')],
    ['has a message that belongs nowhere', (broken) => (broken.first = [])],
    ['has a message of nobody', (broken) => (messageOf(broken, 'a').role = 'system')],
    ['has a time that is none', (broken) => (messageOf(broken, 'a').createdMs = 'now')],
    ['has a text that is none', (broken) => (messageOf(broken, 'a').text = 5)],
  ])('are refused when one %s', (_name, change) => {
    expect(reasonOf(change)).toBe('damaged');
  });
});
