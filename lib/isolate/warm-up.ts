import { encodeMessage } from './message-codec.js';
import { MessageReader } from './message-reader.js';

/** So often that V8 has compiled the way of a message, not only read it. */
const rounds = 400;
/** The event loop is held up for no longer at a time. */
const sliceMs = 1;

/** Of the kinds that stand between a prompt and its first token. */
const examples = [
  { type: 'call', call: 1, method: 'tokenize', arguments: [{ $handle: 1 }, ['Hello'], true, true] },
  { type: 'result', call: 1, value: [Int32Array.of(1, 2, 3)] },
  {
    type: 'call',
    call: 2,
    method: 'submitGeneration',
    arguments: [{ $handle: 2 }, { id: 1, tokens: Int32Array.of(1, 2, 3), stopStrings: [], temperature: 0.5 }],
  },
  { type: 'notice', notice: 'setEvictable', arguments: [{ $handle: 2 }, Int32Array.of(1), Int32Array.of(0)] },
  { type: 'events', context: 2, events: { generations: [{ id: 1, text: 'Hi', tokens: [1] }] } },
];

let begun = false;

/**
 * Sends messages to nobody while a model loads, when this thread has nothing else to do: the first prompt should not
 * wait for the compilation of what carries it. Once in a thread.
 */
export function warmUp(): void {
  if (begun) return;
  begun = true;
  const reader = new MessageReader(() => {});
  let round = 0;
  const work = () => {
    const end = performance.now() + sliceMs;
    for (; round < rounds && performance.now() < end; round++) {
      for (const piece of examples.flatMap((message) => encodeMessage(message))) reader.push(piece);
    }
    if (round < rounds) setImmediate(work).unref();
  };
  setImmediate(work).unref();
}
