/** Turns C++ initializers of the JSON class that llama.cpp uses into plain values. */
import type { CppExpression } from './cpp-expressions.js';

/** A JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const constants: Readonly<Record<string, Json>> = { true: true, false: false, nullptr: null };

/**
 * The value that a JSON object made from this initializer holds. A list whose items are all pairs that begin with a
 * string is an object, every other list an array: the rule of nlohmann::json, which llama.cpp's class follows.
 */
export function toJson(expression: CppExpression): Json {
  switch (expression.kind) {
    case 'string':
    case 'number':
      return expression.value;
    case 'name': {
      const constant = constants[expression.name];
      if (constant === undefined)
        throw new Error(`Unknown constant ${expression.name} in a JSON initializer`);
      return constant;
    }
    case 'list':
      return listToJson(expression.items);
    case 'call':
      return callToJson(expression.name, expression.arguments);
  }
}

function callToJson(name: string, callArguments: readonly CppExpression[]): Json {
  const [first] = callArguments;
  switch (name) {
    case 'json::array':
      return first === undefined ? [] : first.kind === 'list' ? first.items.map(toJson) : unknownCall(name);
    case 'json::object':
      return first === undefined
        ? {}
        : first.kind === 'list'
          ? pairsToObject(first.items)
          : unknownCall(name);
    case 'json':
      // json({…}) has the list as its argument; json{…} is itself the list.
      return first?.kind === 'list' && callArguments.length === 1 && !isPair(first)
        ? listToJson(first.items)
        : listToJson(callArguments);
    case 'std::string':
      return first?.kind === 'string' ? first.value : unknownCall(name);
    default:
      return unknownCall(name);
  }
}

function unknownCall(name: string): never {
  throw new Error(`Unknown call of ${name} in a JSON initializer`);
}

function listToJson(items: readonly CppExpression[]): Json {
  if (items.length === 0)
    throw new Error('An empty JSON initializer does not say whether it is an object or an array');
  return items.every(isPair) ? pairsToObject(items) : items.map(toJson);
}

function isPair(expression: CppExpression): boolean {
  return (
    expression.kind === 'list' && expression.items.length === 2 && expression.items[0]?.kind === 'string'
  );
}

function pairsToObject(items: readonly CppExpression[]): Json {
  return Object.fromEntries(
    items.map((item) => {
      const [key, value, ...rest] = item.kind === 'list' ? item.items : [];
      if (key?.kind !== 'string' || value === undefined || rest.length > 0) {
        throw new Error(
          `Expected a pair of key and value in a JSON initializer, found ${JSON.stringify(item)}`,
        );
      }
      return [key.value, toJson(value)];
    }),
  );
}
