/** Looks at what the native side holds of a model's sequences, which the public API does not tell one by one. */
import { type ContextHandle, getAddon } from '../../lib/native/addon.js';

/** What one sequence holds: positions from `first` to `last`; both −1 if nothing. */
export interface HeldRange {
  readonly sequence: number;
  readonly first: number;
  readonly last: number;
}

/** The engine's context of a model. */
export interface WatchedContext {
  /** Asks the native side. */
  ranges(): Promise<readonly HeldRange[]>;
  /** The sequences that the engine last told to hold something that may be given up. */
  idle(): readonly number[];
}

/** Runs `load`, which makes one engine, and watches over that engine's context from its creation on. */
export async function watchContext<Result>(
  load: () => Promise<Result>,
): Promise<{ result: Result; context: WatchedContext }> {
  const addon = getAddon();
  const { createContext, setEvictable } = addon;
  let handle: ContextHandle | undefined;
  let sequences = 0;
  let evictable: readonly number[] = [];
  addon.createContext = async (...parameters) => {
    const created = await createContext(...parameters);
    handle ??= created.handle;
    sequences ||= created.sequences;
    return created;
  };
  addon.setEvictable = (...parameters) => {
    const [context, list] = parameters;
    if (context === handle) evictable = [...list];
    setEvictable(...parameters);
  };
  try {
    const result = await load();
    const ranges = async () => {
      const held: HeldRange[] = [];
      for (let sequence = 0; sequence < sequences; sequence++) {
        const [first, last] = await addon.getSequenceRange(handle as ContextHandle, sequence);
        held.push({ sequence, first, last });
      }
      return held;
    };
    return { result, context: { ranges, idle: () => evictable } };
  } finally {
    addon.createContext = createContext;
  }
}
