import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { toFailure } from '../failures.js';
import type { Work, WorkResult } from '../workload/work.js';

const prefix = 'llama_native_';
/** Seconds from a quick answer of a cached prompt to the longest that anybody waits for. */
const durations = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const firstTokens = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const tokenTimes = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1];

/** What the server counts of its own requests. */
export class Measures {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly #requests = new Counter({
    name: `${prefix}requests_total`,
    help: 'Requests that a model was asked to work for, by how they ended: ok, or the code of the failure.',
    labelNames: ['model', 'kind', 'outcome'],
    registers: this.#registers,
  });
  readonly #inFlight = new Gauge({
    name: `${prefix}requests_in_flight`,
    help: 'Requests that run or wait.',
    labelNames: ['model', 'kind'],
    registers: this.#registers,
  });
  readonly #duration = new Histogram({
    name: `${prefix}request_duration_seconds`,
    help: 'Time from when a request was let in until it ended.',
    labelNames: ['model', 'kind'],
    buckets: durations,
    registers: this.#registers,
  });
  readonly #queue = new Histogram({
    name: `${prefix}queue_seconds`,
    help: 'Time that a generation waited for a sequence.',
    labelNames: ['model'],
    buckets: firstTokens,
    registers: this.#registers,
  });
  readonly #firstToken = new Histogram({
    name: `${prefix}time_to_first_token_seconds`,
    help: 'Time from the call of the engine to the first token of the answer.',
    labelNames: ['model'],
    buckets: firstTokens,
    registers: this.#registers,
  });
  readonly #interToken = new Histogram({
    name: `${prefix}inter_token_seconds`,
    help: 'Time between two tokens of an answer; the mean of each answer is one observation.',
    labelNames: ['model'],
    buckets: tokenTimes,
    registers: this.#registers,
  });
  readonly #tokens = new Counter({
    name: `${prefix}tokens_total`,
    help: 'Tokens of prompts that were evaluated (prompt) or in the cache already (cached), and of answers (completion).',
    labelNames: ['model', 'kind'],
    registers: this.#registers,
  });
  readonly #drafts = new Counter({
    name: `${prefix}draft_tokens_total`,
    help: 'Tokens guessed ahead, by whether they were right.',
    labelNames: ['model', 'outcome'],
    registers: this.#registers,
  });

  /** Begins to count. */
  constructor(work: Work) {
    work.on('begin', ({ kind }, model) => this.#inFlight.inc({ model, kind }));
    work.on('end', ({ kind }, model, { durationMs, error }) => {
      this.#inFlight.dec({ model, kind });
      this.#duration.observe({ model, kind }, durationMs / 1000);
      this.#requests.inc({ model, kind, outcome: error === undefined ? 'ok' : toFailure(error).code });
    });
    // The name of a model that does not exist is the client's word, and would fill the memory with labels.
    work.on('refuse', ({ kind }, error) =>
      this.#requests.inc({ model: '', kind, outcome: toFailure(error).code }),
    );
    work.on('result', (_request, model, result) => this.#count(model, result));
  }

  #count(model: string, { usage, timings }: WorkResult): void {
    this.#queue.observe({ model }, timings.queueMs / 1000);
    this.#firstToken.observe({ model }, timings.timeToFirstTokenMs / 1000);
    const gaps = usage.completionTokens - 1;
    if (gaps > 0) this.#interToken.observe({ model }, timings.completionMs / gaps / 1000);
    this.#tokens.inc({ model, kind: 'prompt' }, usage.promptTokens - usage.cachedTokens);
    this.#tokens.inc({ model, kind: 'cached' }, usage.cachedTokens);
    this.#tokens.inc({ model, kind: 'completion' }, usage.completionTokens);
    this.#drafts.inc({ model, outcome: 'accepted' }, timings.acceptedDraftTokens);
    this.#drafts.inc({ model, outcome: 'rejected' }, timings.draftTokens - timings.acceptedDraftTokens);
  }
}
