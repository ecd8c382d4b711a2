import type { FuzzKind } from '../kind.js';
import { adapterKind } from './adapter.js';
import { ggufKind } from './gguf.js';
import { grammarKind } from './grammar.js';
import { messagesKind } from './messages.js';
import { quantizeKind } from './quantize.js';
import { samplingKind } from './sampling.js';
import { schemaKind } from './schema.js';
import { stateKind } from './state.js';
import { templateKind } from './template.js';

/** All kinds of inputs. */
export const fuzzKinds: readonly FuzzKind[] = [
  ggufKind,
  quantizeKind,
  adapterKind,
  stateKind,
  templateKind,
  grammarKind,
  schemaKind,
  samplingKind,
  messagesKind,
];
