import type { Random } from '../../test/helpers/gguf-random.js';
import type { JsonObject } from './json.js';
import type { Workplace } from './workplace.js';

/**
 * A kind of input that users can give to the library. A further kind is a file in kinds/ that exports one of these, and
 * a line in kinds/index.ts.
 */
export interface FuzzKind {
  readonly name: string;
  /** Makes ready what inputs start from and where they go to. Called again after a crash. */
  prepare(workplace: Workplace): Promise<PreparedKind>;
}

export interface PreparedKind {
  /** Makes an input. It depends on nothing but the random numbers. */
  make(random: Random): JsonObject;
  /**
   * Takes an input the way a user's would go: the library's own checks, then an isolated engine. Rejects where the input
   * is refused, or where the engine crashes.
   */
  run(input: JsonObject): Promise<void>;
  close(): Promise<void>;
}
