import { RequestError } from '../failures.js';
import type { Client } from '../http/fastify-types.js';

/** How much may go on at once. */
export interface AdmissionLimits {
  /** Requests of one model that run or wait. */
  readonly requestsPerModel: number;
  /** Requests of one key that run or wait; undefined without a limit. */
  readonly requestsPerClient: number | undefined;
}

/** How often requests of a model have ended lately, to tell others when to come back. */
class Pace {
  #averageMs = 1000;
  #last = performance.now();

  /** One more request has ended. */
  tick(): void {
    const now = performance.now();
    this.#averageMs += (now - this.#last - this.#averageMs) * 0.2;
    this.#last = now;
  }

  /** Whole seconds until one more place should be free. */
  get seconds(): number {
    return Math.min(60, Math.max(1, Math.ceil(this.#averageMs / 1000)));
  }
}

/** Lets requests in as long as there is room; those let in wait in the engine's own queue. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #byModel = new Map<string, number>();
  readonly #byClient = new Map<string, number>();
  readonly #paces = new Map<string, Pace>();
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
    const pace = this.#paceOf(model);
    const ofModel = this.#byModel.get(model) ?? 0;
    if (ofModel >= this.#limits.requestsPerModel) {
      const message = `The model ${model} has ${ofModel} requests already, as many as may wait. Try again later.`;
      throw new RequestError('rate-limited', 'queue_full', message, { retryAfterSeconds: pace.seconds });
    }
    const ofClient = this.#byClient.get(client.name) ?? 0;
    const most = client.concurrency ?? this.#limits.requestsPerClient ?? Number.POSITIVE_INFINITY;
    if (ofClient >= most) {
      const message = `This key has ${ofClient} requests under way, as many as it may. Wait for one of them to end.`;
      throw new RequestError('rate-limited', 'too_many_requests', message, {
        retryAfterSeconds: pace.seconds,
      });
    }
    this.#add(model, client.name, 1);
    return () => {
      this.#add(model, client.name, -1);
      pace.tick();
    };
  }

  #add(model: string, client: string, change: number): void {
    this.inFlight += change;
    addTo(this.#byModel, model, change);
    addTo(this.#byClient, client, change);
  }

  #paceOf(model: string): Pace {
    let pace = this.#paces.get(model);
    if (pace === undefined) {
      pace = new Pace();
      this.#paces.set(model, pace);
    }
    return pace;
  }
}

function addTo(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
