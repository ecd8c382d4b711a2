import { RequestError } from '../failures.js';
import type { Client } from '../http/fastify-types.js';

/** How much may go on at once. */
export interface AdmissionLimits {
  /** Requests of a model that run or wait, by its name. */
  readonly requestsPerModel: (model: string) => number;
  /** Requests of one key that run or wait; undefined without a limit. */
  readonly requestsPerClient: number | undefined;
}

const firstGuessMs = 1000;
const newestShare = 0.2;
const longestSeconds = 60;

/** The requests of one model, from the first that is let in until none is left. */
class Queue {
  count = 0;
  /** Between two requests that end, while there are any: to tell others when to come back. */
  #averageMs = firstGuessMs;
  #lastMs = performance.now();

  /** One of them has ended. */
  tick(): void {
    const now = performance.now();
    this.#averageMs += (now - this.#lastMs - this.#averageMs) * newestShare;
    this.#lastMs = now;
  }

  /** Whole seconds until one more place should be free. */
  get retryAfterSeconds(): number {
    return Math.min(longestSeconds, Math.max(1, Math.ceil(this.#averageMs / 1000)));
  }
}

/** Lets requests in as long as there is room; those let in wait in the engine's own queue. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #queues = new Map<string, Queue>();
  readonly #byClient = new Map<string, number>();
  inFlight = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a place.
   * @returns gives the place back; call it once.
   * @throws RequestError 429 when there is none.
   */
  enter(model: string, client: Client): () => void {
    const queue = this.#queues.get(model) ?? new Queue();
    this.#checkModel(model, queue);
    this.#checkClient(client, queue);
    this.#queues.set(model, queue);
    this.#add(queue, client.name, 1);
    return () => {
      this.#add(queue, client.name, -1);
      queue.tick();
      if (queue.count === 0 && this.#queues.get(model) === queue) this.#queues.delete(model);
    };
  }

  #checkModel(model: string, { count, retryAfterSeconds }: Queue): void {
    if (count < this.#limits.requestsPerModel(model)) return;
    const message = `The model ${model} has ${count} requests already, as many as may wait. Try again later.`;
    throw new RequestError('rate-limited', 'queue_full', message, { retryAfterSeconds });
  }

  #checkClient({ name, concurrency }: Client, { retryAfterSeconds }: Queue): void {
    const count = this.#byClient.get(name) ?? 0;
    if (count < (concurrency ?? this.#limits.requestsPerClient ?? Number.POSITIVE_INFINITY)) return;
    const message = `This key has ${count} requests under way, as many as it may. Wait for one of them to end.`;
    throw new RequestError('rate-limited', 'too_many_requests', message, { retryAfterSeconds });
  }

  #add(queue: Queue, client: string, change: number): void {
    this.inFlight += change;
    queue.count += change;
    const count = (this.#byClient.get(client) ?? 0) + change;
    if (count === 0) this.#byClient.delete(client);
    else this.#byClient.set(client, count);
  }
}
