/** Saved states of sequences, of models whose memories differ in kind. */
import type { Context } from '../../../lib/engine/context.js';
import type { Model } from '../../../lib/model/model.js';
import type { Random } from '../../../test/helpers/gguf-random.js';
import { type JsonObject, packBytes, unpackBytes } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { writeShape } from '../models.js';
import { mutateState } from '../mutate-state.js';
import { sealState } from '../state-seal.js';
import type { Workplace } from '../workplace.js';

const modelNames = ['llama', 'gemma2', 'lfm2', 'mamba', 'rwkv7'];

/** So many tokens are in the states that mutations begin with; the second is more than the window of Gemma. */
const lengths = [5, 40];
const tokens = Int32Array.from({ length: 100 }, (_, index) => 32 + ((index * 7) % 95));

/** A model with a context, and states that were saved there. */
interface Memory {
  readonly name: string;
  readonly model: Model;
  readonly context: Context;
  readonly states: readonly Uint8Array[];
}

async function openMemory(workplace: Workplace, name: string): Promise<Memory> {
  const model = await workplace.openModel(await writeShape(workplace, name), { contextSize: 256 });
  const context = await model.createContext({ contextSize: 256, sequences: 2 });
  const states: Uint8Array[] = [];
  for (const length of lengths) {
    await context.eval(tokens.subarray(0, length));
    states.push(await context.saveSequence());
    await context.clear();
  }
  return { name, model, context, states };
}

class StateKind implements PreparedKind {
  readonly #memories: readonly Memory[];

  constructor(memories: readonly Memory[]) {
    this.#memories = memories;
  }

  make(random: Random): JsonObject {
    const { name, states } = random.pick(this.#memories);
    const bytes = mutateState(random.pick(states), random);
    // A wrong checksum is refused at once; with a right one, llama.cpp reads what was changed.
    const state = random.next() < 0.85 ? sealState(bytes) : bytes;
    return { model: name, state: packBytes(state) };
  }

  async run({ model, state }: JsonObject): Promise<void> {
    const memory = this.#memories.find(({ name }) => name === model) ?? this.#memories[0];
    if (memory === undefined) return;
    const { context } = memory;
    try {
      await context.restoreSequence(unpackBytes(state), 1);
      await context.eval(tokens.subarray(50, 53), { sequence: 1 });
      await context.logits();
      await context.saveSequence(1);
      await context.copySequence(1, 0);
    } finally {
      await context.clear();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#memories.map(({ model }) => model.close()));
  }
}

export const stateKind: FuzzKind = {
  name: 'state',
  async prepare(workplace) {
    return new StateKind(await Promise.all(modelNames.map((name) => openMemory(workplace, name))));
  },
};
