const fence = '"""';

/** What a line led to: a whole message, or the wish for another line. */
export type Assembled = { readonly kind: 'more' } | { readonly kind: 'message'; readonly text: string };

/**
 * Puts typed lines together to messages. A line that ends in a backslash goes on in the next one; a line that starts
 * with `"""` opens a block that ends with the line that ends in `"""`.
 */
export class MessageAssembler {
  #lines: string[] = [];
  #state: 'empty' | 'continued' | 'block' = 'empty';

  /** Whether a message has been begun and not ended. */
  get isOpen(): boolean {
    return this.#state !== 'empty';
  }

  /** Takes the next line. */
  push(line: string): Assembled {
    if (this.#state === 'block') {
      return this.#pushInBlock(line);
    }
    if (this.#state === 'empty' && line.trimStart().startsWith(fence)) {
      this.#state = 'block';
      const rest = line.trimStart().slice(fence.length);
      return rest === '' ? { kind: 'more' } : this.#pushInBlock(rest);
    }
    if (endsInContinuation(line)) {
      this.#lines.push(line.slice(0, -1));
      this.#state = 'continued';
      return { kind: 'more' };
    }
    this.#lines.push(line);
    return this.#finish();
  }

  /** Forgets the lines of an unfinished message. */
  reset(): void {
    this.#lines = [];
    this.#state = 'empty';
  }

  /** Ends an unfinished message where the input ends; undefined if there is none. */
  end(): string | undefined {
    if (!this.isOpen) {
      return undefined;
    }
    const text = this.#lines.join('\n');
    this.reset();
    return text;
  }

  #pushInBlock(line: string): Assembled {
    const trimmed = line.trimEnd();
    if (!trimmed.endsWith(fence)) {
      this.#lines.push(line);
      return { kind: 'more' };
    }
    const last = trimmed.slice(0, -fence.length);
    if (last !== '') {
      this.#lines.push(last);
    }
    return this.#finish();
  }

  #finish(): Assembled {
    const text = this.#lines.join('\n');
    this.reset();
    return { kind: 'message', text };
  }
}

/** An even number of backslashes at the end is meant as text: `C:\\`. */
function endsInContinuation(line: string): boolean {
  const backslashes = /\\+$/.exec(line)?.[0].length ?? 0;
  return backslashes % 2 === 1;
}
