import type { FuzzKind } from '../kind.js';
import { ggufKind } from './gguf.js';
import { grammarKind } from './grammar.js';
import { messagesKind } from './messages.js';
import { samplingKind } from './sampling.js';
import { schemaKind } from './schema.js';
import { stateKind } from './state.js';
import { templateKind } from './template.js';

/** All kinds of inputs. An adapter (LoRA) is a further file beside these: what loads it is its door. */
export const fuzzKinds: readonly FuzzKind[] = [
  ggufKind,
  stateKind,
  templateKind,
  grammarKind,
  schemaKind,
  samplingKind,
  messagesKind,
];
