import { describe, expect, it } from 'vitest';
import { GenerationStream } from '../../lib/generate/generation-stream.js';
import type { GenerationResult } from '../../lib/index.js';

const result = { text: 'ab', tokens: [1, 2], finishReason: 'stop' } as unknown as GenerationResult;

function stream(onCancel: () => void = () => {}): GenerationStream {
  return new GenerationStream(onCancel);
}

async function readAll(source: GenerationStream): Promise<string> {
  let text = '';
  for await (const chunk of source) text += chunk.text;
  return text;
}

describe('a generation stream', () => {
  it('gives chunks as they come, to a reader that waits', async () => {
    const source = stream();
    const reading = readAll(source);
    source.push({ text: 'a', tokens: [1] });
    await Promise.resolve();
    source.push({ text: 'b', tokens: [2] });
    source.finish(result);
    expect(await reading).toBe('ab');
    expect(await source.result).toBe(result);
  });

  it('gives all chunks to a reader that comes late, and to two readers', async () => {
    const source = stream();
    source.push({ text: 'a', tokens: [1] });
    source.push({ text: 'b', tokens: [2] });
    source.finish(result);
    expect(await Promise.all([readAll(source), readAll(source)])).toEqual(['ab', 'ab']);
  });

  it('gives what was made before a failure, then the failure, also through result', async () => {
    const source = stream();
    source.push({ text: 'a', tokens: [1] });
    source.fail(new Error('broken'));
    let text = '';
    const reading = (async () => {
      for await (const chunk of source) text += chunk.text;
    })();
    await expect(reading).rejects.toThrow('broken');
    expect(text).toBe('a');
    await expect(source.result).rejects.toThrow('broken');
  });

  it('cancels the work when its reader leaves early, and only then', async () => {
    let cancelled = 0;
    const source = stream(() => {
      cancelled++;
      source.finish(result); // as the engine does once the work has stopped
    });
    source.push({ text: 'a', tokens: [1] });
    for await (const _ of source) break;
    expect(cancelled).toBe(1);

    const finished = stream(() => cancelled++);
    finished.push({ text: 'a', tokens: [1] });
    finished.finish(result);
    for await (const _ of finished) break;
    expect(cancelled).toBe(1);
  });

  it('does not count as an unhandled rejection when only iterated', async () => {
    const seen: unknown[] = [];
    const listener = (reason: unknown) => seen.push(reason);
    process.on('unhandledRejection', listener);
    const source = stream();
    source.fail(new Error('broken'));
    await expect(readAll(source)).rejects.toThrow('broken');
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', listener);
    expect(seen).toEqual([]);
  });
});
