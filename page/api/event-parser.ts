/** Takes the text of a stream of server-sent events in pieces of any size and gives the data of each whole event. */
export class EventParser {
  #rest = '';
  #data: string[] = [];
  #isFirst = true;

  /** @returns the data of the events that this piece completes. */
  push(piece: string): string[] {
    let text = this.#rest + piece;
    if (this.#isFirst && text !== '') {
      this.#isFirst = false;
      if (text.startsWith('\uFEFF')) text = text.slice(1);
    }
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    // A carriage return at the end may be the first half of a line's end.
    this.#rest = lines.pop() ?? '';
    const events: string[] = [];
    for (const line of lines) this.#take(line, events);
    return events;
  }

  #take(line: string, events: string[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'));
      this.#data = [];
    } else if (line.startsWith('data:')) {
      this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
    // Comments keep connections open; names and ids of events are not used.
  }
}

/** The data of each event of an answer, as it arrives. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // a broken connection is reported by read()
  }
}
