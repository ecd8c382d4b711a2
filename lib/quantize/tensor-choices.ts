import { tensorTypeByName } from '../gguf/tensor-types.js';
import type { TensorTypeName } from './quantization-types.js';
import type { QuantizeOptions } from './types.js';

/** A choice as llama.cpp takes it. */
export interface NativeTensorType {
  readonly pattern: string;
  readonly type: number;
}

/**
 * Decides here which tensors a choice is about, and names them to llama.cpp one by one: its own regular expressions are
 * those of the C++ library, which take exponential time for some, and recurse.
 */
export function toNativeTensorTypes(
  choices: QuantizeOptions['tensorTypes'],
  names: Iterable<string>,
): NativeTensorType[] {
  const tests = toTests(choices);
  const types: NativeTensorType[] = [];
  for (const name of names) {
    const chosen = tests.find(({ fits }) => fits(name))?.type;
    if (chosen !== undefined) types.push({ pattern: `^${quoted(name)}$`, type: tensorTypeNumber(chosen) });
  }
  return types;
}

/** Number of a type in `enum ggml_type`. */
export function tensorTypeNumber(name: TensorTypeName): number {
  return tensorTypeByName(name)?.id ?? 0;
}

interface Test {
  readonly type: TensorTypeName;
  fits(name: string): boolean;
}

function toTests(choices: QuantizeOptions['tensorTypes'] = []): Test[] {
  if (!Array.isArray(choices)) {
    return Object.entries(choices).map(([pattern, type]) => ({ type, fits: finder(new RegExp(pattern)) }));
  }
  return choices.map(({ tensor, type }) => ({
    type,
    fits: tensor instanceof RegExp ? finder(tensor) : (name: string) => name === tensor,
  }));
}

/** Without the flags that make an expression remember where it was. */
function finder(expression: RegExp): (name: string) => boolean {
  const stateless = new RegExp(expression.source, expression.flags.replace(/[gy]/g, ''));
  return (name) => stateless.test(name);
}

function quoted(name: string): string {
  return name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
