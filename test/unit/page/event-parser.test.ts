import { describe, expect, it } from 'vitest';
import { EventParser, readEvents } from '../../../page/api/event-parser.js';

const stream = 'data: {"a":1}\n\n: waiting\n\nevent: delta\ndata: first\ndata: second\n\ndata:[DONE]\n\n';
const events = ['{"a":1}', 'first\nsecond', '[DONE]'];

function parse(text: string, size: number): string[] {
  const parser = new EventParser();
  const found: string[] = [];
  for (let from = 0; from < text.length; from += size)
    found.push(...parser.push(text.slice(from, from + size)));
  return found;
}

describe('the parser of server-sent events', () => {
  it.each([1, 2, 3, 7, 1000])('finds the same events in pieces of %i characters', (size) => {
    expect(parse(stream, size)).toEqual(events);
  });

  it.each(['\r\n', '\r'])('takes lines that end with %j', (end) => {
    const text = `${stream.replaceAll('\n', end)}data: last\n\n`;
    for (const size of [1, 2, 5, 1000]) expect(parse(text, size)).toEqual([...events, 'last']);
  });

  it('keeps an event back until its empty line has come', () => {
    const parser = new EventParser();
    expect(parser.push('data: half')).toEqual([]);
    expect(parser.push(' and whole\n')).toEqual([]);
    expect(parser.push('\n')).toEqual(['half and whole']);
  });

  it('skips a byte order mark at the beginning', () => {
    expect(parse('\uFEFFdata: x\n\n', 1)).toEqual(['x']);
  });

  it('reads characters that are cut between two pieces of a body', async () => {
    const bytes = new TextEncoder().encode('data: 缓存🙂\n\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const found: string[] = [];
    for await (const data of readEvents(body)) found.push(data);
    expect(found).toEqual(['缓存🙂']);
  });
});
