// What a check says while it goes on, and what it keeps for its summary.

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Runs steps one after the other; a step that fails is noted, and the next one gets its turn. */
export class Report {
  /** @type {{ step: string, reason: string }[]} */
  failures = [];
  /** @type {{ step: string, reason: string }[]} */
  skipped = [];
  #write;

  /** @param {(line: string) => void} write receives each line */
  constructor(write = (line) => console.log(line)) {
    this.#write = write;
  }

  say(line) {
    this.#write(`   ${line.replaceAll('\n', '\n   ')}`);
  }

  /**
   * Runs a step and returns what it returned; undefined when it failed.
   *
   * @template Value
   * @param {string} name
   * @param {() => Promise<Value> | Value} work
   * @returns {Promise<Value | undefined>}
   */
  async step(name, work) {
    this.#write(`== ${name}`);
    const start = performance.now();
    try {
      const value = await work();
      this.say(`ok, ${seconds(start)}`);
      return value;
    } catch (error) {
      this.fail(name, error.message);
      this.say(`FAILED after ${seconds(start)}: ${error.message}`);
      return undefined;
    }
  }

  fail(step, reason) {
    this.failures.push({ step, reason });
  }

  /** Notes that a step was left out, and why; the summary tells it too. */
  skip(step, reason) {
    this.skipped.push({ step, reason });
    this.#write(`== ${step}`);
    this.say(`skipped: ${reason}`);
  }

  /** True if no step failed. Prints which did, and which were left out. */
  conclude() {
    for (const { step, reason } of this.skipped) this.#write(`skipped: ${step} (${reason})`);
    for (const { step, reason } of this.failures) this.#write(`FAILED: ${step}: ${reason}`);
    const isGood = this.failures.length === 0;
    this.#write(isGood ? 'gpu-check: passed' : 'gpu-check: FAILED');
    return isGood;
  }
}
