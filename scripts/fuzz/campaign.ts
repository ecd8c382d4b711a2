import { createHash } from 'node:crypto';
import { Random } from '../../test/helpers/gguf-random.js';
import { readCases, writeCase } from './cases.js';
import type { JsonObject } from './json.js';
import type { FuzzKind, PreparedKind } from './kind.js';
import { type Finding, isFinding, type Outcome, tryInput } from './outcome.js';
import { shrink } from './shrink.js';
import { Tally } from './tally.js';
import { Workplace } from './workplace.js';

/** How inputs of one kind are tried. */
export interface CampaignOptions {
  readonly seed: number;
  readonly count: number;
  /** The number of the first input. Default 0. */
  readonly first?: number;
  /** No further input after so long. Default: no limit. */
  readonly milliseconds?: number;
  /** Make what is found smaller and keep it in test/regressions. Default false. */
  readonly keep?: boolean;
  readonly onProgress?: (tally: Tally) => void;
  readonly onFinding?: (finding: Finding, input: JsonObject, where: string) => void;
}

/** A hang takes seconds each time, so tries are few. */
const shrinkLimits = { tries: 400, milliseconds: 90_000 };

/** The random numbers of an input: by seed, kind and number, and nothing else. */
export function randomOf(seed: number, kind: string, number: number): Random {
  return new Random(createHash('sha256').update(`${seed}/${kind}/${number}`).digest().readUInt32LE());
}

/** Tries many inputs of one kind. */
export class Campaign {
  readonly #kind: FuzzKind;
  readonly #options: CampaignOptions;
  readonly #tally: Tally;
  readonly #known = new Set<string>();
  #workplace!: Workplace;
  #prepared!: PreparedKind;

  constructor(kind: FuzzKind, options: CampaignOptions) {
    this.#kind = kind;
    this.#options = options;
    this.#tally = new Tally(kind.name);
  }

  async run(): Promise<Tally> {
    const { count, first = 0, milliseconds = Number.POSITIVE_INFINITY, seed, onProgress } = this.#options;
    for (const { signature } of (await readCases(this.#kind.name)).values()) this.#known.add(signature);
    this.#workplace = await Workplace.create();
    try {
      this.#prepared = await this.#kind.prepare(this.#workplace);
      const begun = performance.now();
      for (let number = first; number < first + count; number++) {
        if (performance.now() - begun > milliseconds) break;
        const input = this.#prepared.make(randomOf(seed, this.#kind.name, number));
        const outcome = await this.#try(input);
        this.#tally.add(outcome, performance.now() - begun);
        if (isFinding(outcome)) await this.#follow(outcome, input, number);
        onProgress?.(this.#tally);
      }
      await this.#prepared.close();
    } finally {
      await this.#workplace.close();
    }
    return this.#tally;
  }

  /** After a crash everything is made anew: contexts are lost, and a late call may still run. */
  async #try(input: JsonObject): Promise<Outcome> {
    const outcome = await tryInput(() => this.#prepared.run(input), this.#workplace);
    if (outcome.kind === 'crashed' || outcome.kind === 'hung') {
      await this.#prepared.close().catch(() => {});
      this.#workplace.forgetEngines();
      this.#prepared = await this.#kind.prepare(this.#workplace);
    }
    return outcome;
  }

  async #follow(finding: Finding, input: JsonObject, number: number): Promise<void> {
    const { kind, signature } = finding;
    const { keep = false, seed, onFinding } = this.#options;
    if (this.#known.has(signature)) {
      onFinding?.(finding, {}, `number ${number}, known`);
      return;
    }
    this.#known.add(signature);
    if (!keep) {
      onFinding?.(finding, input, `number ${number}`);
      return;
    }
    const fails = async (candidate: JsonObject) => {
      const outcome = await this.#try(candidate);
      return isFinding(outcome) && outcome.signature === signature;
    };
    const smallest = await shrink(input, fails, shrinkLimits);
    const stored = { kind: this.#kind.name, seed, number, signature, found: kind, input: smallest };
    onFinding?.(finding, smallest, await writeCase(stored));
  }
}
