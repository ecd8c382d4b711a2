/** So often that V8 has compiled the way of a message, not only read it. */
const rounds = 400;

/** Of the shapes that stand between a prompt and its first token. Nested, so that nobody looks for what they refer to. */
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

/**
 * Sends messages to an engine and back for no longer than its other threads load a model, when neither JavaScript thread
 * has anything else to do: the first prompts should not wait for the compilation of what carries them.
 */
export async function rehearse(
  echo: (messages: readonly unknown[]) => Promise<unknown>,
  load: Promise<unknown>,
): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  load.then(end, end);
  try {
    for (let round = 0; round < rounds && !over; round++) await echo(examples);
  } catch {
    // The engine ended, which whoever loads hears of.
  }
}
