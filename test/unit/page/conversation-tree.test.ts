import { describe, expect, it } from 'vitest';
import {
  appendMessage,
  createConversation,
  pathTo,
  removeMessage,
  selectVersion,
  shownPath,
  toTitle,
  updateMessage,
  versionsOf,
} from '../../../page/conversation/tree.js';
import type { Conversation } from '../../../page/conversation/types.js';

function add(conversation: Conversation, id: string, parent?: string): Conversation {
  const role = id.startsWith('q') ? 'user' : 'assistant';
  return appendMessage(conversation, {
    id,
    role,
    text: id,
    createdMs: 0,
    ...(parent !== undefined && { parent }),
  });
}

const shown = (conversation: Conversation) => shownPath(conversation).map(({ id }) => id);

/** q1 → a1 → q2 → a2, a question and an answer each. */
const talk = ['q1', 'a1', 'q2', 'a2'].reduce(
  (conversation, id, index, all) => add(conversation, id, all[index - 1]),
  createConversation('c', 0),
);

describe('the tree of a conversation', () => {
  it('shows messages in the order in which they were said', () => {
    expect(shown(talk)).toEqual(['q1', 'a1', 'q2', 'a2']);
  });

  it('shows a new answer beside the old one, and the old one again when it is chosen', () => {
    const again = add(talk, 'a2b', 'q2');
    expect(shown(again)).toEqual(['q1', 'a1', 'q2', 'a2b']);
    expect(versionsOf(again, 'a2b')).toEqual({ ids: ['a2', 'a2b'], index: 1 });
    expect(shown(selectVersion(again, 'a2'))).toEqual(['q1', 'a1', 'q2', 'a2']);
  });

  it('keeps what followed an edited first message', () => {
    const edited = add(add(talk, 'q1b'), 'a1b', 'q1b');
    expect(shown(edited)).toEqual(['q1b', 'a1b']);
    expect(shown(selectVersion(edited, 'q1'))).toEqual(['q1', 'a1', 'q2', 'a2']);
  });

  it('remembers in each branch which versions were shown', () => {
    const branched = add(selectVersion(add(talk, 'a2b', 'q2'), 'a2'), 'a1b', 'q1');
    expect(shown(branched)).toEqual(['q1', 'a1b']);
    expect(shown(selectVersion(branched, 'a1'))).toEqual(['q1', 'a1', 'q2', 'a2']);
  });

  it('gives the path to a message that is not shown', () => {
    const again = add(talk, 'a1b', 'q1');
    expect(pathTo(again, 'q2').map(({ id }) => id)).toEqual(['q1', 'a1', 'q2']);
  });

  it('removes a version with all that follows it and shows its neighbour', () => {
    const removed = removeMessage(add(talk, 'a1b', 'q1'), 'a1');
    expect(Object.keys(removed.messages).sort()).toEqual(['a1b', 'q1']);
    expect(shown(removed)).toEqual(['q1', 'a1b']);
    expect(shown(removeMessage(talk, 'q1'))).toEqual([]);
    expect(removeMessage(talk, 'q1').messages).toEqual({});
  });

  it('changes nothing in place, and nothing for a message that is not there', () => {
    const before = structuredClone(talk);
    add(talk, 'x', 'a2');
    removeMessage(talk, 'q1');
    expect(updateMessage(talk, 'a1', { text: 'other' }).messages.a1?.text).toBe('other');
    expect(talk).toEqual(before);
    expect(updateMessage(talk, 'none', { text: '' })).toBe(talk);
    expect(selectVersion(talk, 'none')).toBe(talk);
    expect(removeMessage(talk, 'none')).toBe(talk);
  });
});

describe('a title', () => {
  it('is the first line, cut between whole characters', () => {
    expect(toTitle('  Hello\nworld')).toBe('Hello');
    expect(toTitle('👨‍👩‍👧'.repeat(5), 3)).toBe('👨‍👩‍👧👨‍👩‍👧…');
    expect(toTitle('解释缓存', 4)).toBe('解释缓存');
    expect(toTitle('')).toBe('');
  });
});
