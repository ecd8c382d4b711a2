/** What greedy generation must give for a prompt, computed by itself: the yardstick for everything done in company. */
import { type Context, type ContextOptions, loadModel, type Model } from '../../lib/index.js';

/** Types of the KV cache. */
export type CacheTypes = Required<Pick<ContextOptions, 'keyType' | 'valueType'>>;

/** A token that greedy decoding chooses, and by how much. */
export interface ReferenceToken {
  readonly token: number;
  /** Natural logarithm of its probability. */
  readonly logprob: number;
  /** How far its logit lies above that of the runner-up. */
  readonly margin: number;
  /** It ends the answer. */
  readonly ends: boolean;
}

/** What a generation gave. */
export interface Answer {
  readonly tokens: readonly number[];
  /** One for each token, or none at all. */
  readonly logprobs?: readonly number[];
}

/** How much the evaluation in company may differ from that alone. */
export interface Tolerance {
  /** Another token may be chosen where the margin is below this. */
  readonly margin: number;
  /** Largest difference of a log-probability. */
  readonly logprob: number;
}

/** How an answer compares: `tie` if it left the reference where two logits are as good as equal. */
export interface Comparison {
  readonly outcome: 'same' | 'tie';
  /** The largest difference of the log-probabilities. */
  readonly difference: number;
}

/**
 * Evaluates prompts one after the other in an empty context of its own, with the low-level primitives and a search for
 * the largest logit in JavaScript: it has nothing in common with the generation loop but the model.
 */
export class GreedyReference {
  readonly #known = new Map<string, ReferenceToken[]>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly model: Model,
    private readonly context: Context,
    private readonly endTokens: ReadonlySet<number>,
  ) {}

  /** Loads the model once more, for this alone. */
  static async create(path: string, contextSize: number, cacheTypes: CacheTypes): Promise<GreedyReference> {
    const model = await loadModel(path, { threads: 1, contextSize: 256, vocabOnly: false });
    const context = await model.createContext({
      contextSize,
      batchSize: contextSize,
      ...cacheTypes,
    });
    const { endOfSequence, endOfTurn } = model.metadata.specialTokens;
    const ends = [endOfSequence, endOfTurn].filter((token) => token !== undefined);
    return new GreedyReference(model, context, new Set(ends));
  }

  /**
   * The next tokens, at most `count`; fewer if the answer ends before, and then the end token is the last.
   * @param mayEnd whether the model may end the answer.
   */
  async continue(prompt: Int32Array, count: number, mayEnd: boolean): Promise<readonly ReferenceToken[]> {
    const key = `${mayEnd} ${prompt.join(' ')}`;
    const before = this.#turn;
    const work = (async () => {
      await before;
      const known = this.#known.get(key) ?? [];
      if (known.length >= count || known.at(-1)?.ends === true) return known.slice(0, count);
      const tokens = await this.#evaluate(prompt, count, mayEnd);
      this.#known.set(key, tokens);
      return tokens;
    })();
    this.#turn = work.catch(() => {});
    return work;
  }

  async close(): Promise<void> {
    await this.model.close();
  }

  async #evaluate(prompt: Int32Array, count: number, mayEnd: boolean): Promise<ReferenceToken[]> {
    const tokens: ReferenceToken[] = [];
    await this.context.clear();
    await this.context.eval(prompt);
    while (true) {
      const next = this.#choose(await this.context.logits(), mayEnd);
      tokens.push(next);
      if (next.ends || tokens.length === count) return tokens;
      await this.context.eval([next.token]);
    }
  }

  #choose(logits: Float32Array, mayEnd: boolean): ReferenceToken {
    let best = -1;
    let second = Number.NEGATIVE_INFINITY;
    let highest = Number.NEGATIVE_INFINITY;
    for (const [token, logit] of logits.entries()) {
      highest = Math.max(highest, logit);
      if (!mayEnd && this.endTokens.has(token)) continue;
      if (best === -1 || logit > (logits[best] as number)) {
        if (best !== -1) second = logits[best] as number;
        best = token;
      } else if (logit > second) {
        second = logit;
      }
    }
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
    const logit = logits[best] as number;
    return {
      token: best,
      logprob: logit - highest - Math.log(sum),
      margin: logit - second,
      ends: this.endTokens.has(best),
    };
  }
}

/**
 * Compares the tokens of an answer, or of the beginning of one, with the reference.
 * @throws Error that says where they differ.
 */
export function compareWithReference(
  answer: Answer,
  reference: readonly ReferenceToken[],
  tolerance: Tolerance,
): Comparison {
  let difference = 0;
  for (const [index, token] of answer.tokens.entries()) {
    const expected = reference[index];
    if (expected === undefined || expected.ends) {
      throw new Error(`Token ${index} is ${token}, where the reference has ended.`);
    }
    if (token !== expected.token) {
      if (expected.margin < tolerance.margin) return { outcome: 'tie', difference };
      throw new Error(
        `Token ${index} of ${answer.tokens.length} is ${token}; the reference has ${expected.token}, ` +
          `which lies ${expected.margin.toFixed(5)} above the next one.`,
      );
    }
    const logprob = answer.logprobs?.[index];
    if (logprob === undefined) continue;
    const distance = Math.abs(logprob - expected.logprob);
    difference = Math.max(difference, distance);
    if (!(distance <= tolerance.logprob)) {
      throw new Error(
        `Token ${index} of ${answer.tokens.length} has the log-probability ${logprob}; the reference has ` +
          `${expected.logprob}.`,
      );
    }
  }
  return { outcome: 'same', difference };
}
