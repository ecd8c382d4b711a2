import type { Generation, GenerationResult } from '../../index.js';
import type { Channel } from './channel.js';

/**
 * Writes an answer as it is made and ends it with a line break. Without an output it is only awaited.
 *
 * @throws what the generation throws, once it has ended: a chat takes its next message only then.
 */
export async function streamAnswer(
  generation: Generation,
  output: Channel | undefined,
): Promise<GenerationResult> {
  let last = '\n';
  try {
    for await (const chunk of generation) {
      last = chunk.text.at(-1) ?? last;
      output?.write(chunk.text);
    }
  } finally {
    if (last !== '\n') {
      output?.write('\n');
    }
    await generation.result.catch(() => {});
  }
  return generation.result;
}
