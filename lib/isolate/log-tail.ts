const mostLines = 50;
const mostCharacters = 16_384;

/** The end of a text that arrives in pieces. */
export class LogTail {
  #text = '';

  push(chunk: string): void {
    this.#text = (this.#text + chunk).slice(-mostCharacters);
  }

  /** The last lines, without empty ones. */
  lines(): string[] {
    return this.#text
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '')
      .slice(-mostLines);
  }
}
