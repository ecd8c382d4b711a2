import type { Random } from '../../test/helpers/gguf-random.js';
import { isObject, type Json, type JsonObject, type SpecialName, special } from './json.js';

const leaves: readonly Json[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  2,
  3,
  255,
  65_536,
  2_147_483_647,
  4_294_967_296,
  -2_147_483_649,
  9_007_199_254_740_991,
  1e300,
  -1e300,
  5e-324,
  '',
  'a',
  '#',
  '#/',
  '^$',
  '^(',
  '\0',
  '\ud800',
  '\u4f60\u{1f600}',
  '<|im_end|>',
  'x'.repeat(5000),
  [],
  {},
  [[]],
  [null],
];
const specialNames: readonly SpecialName[] = [
  'NaN',
  'Infinity',
  '-Infinity',
  '-0',
  'undefined',
  'bigint',
  'cycle',
  'deep',
];

/** A value that stands at the end of some range, or of some type. */
export function strangeValue(random: Random): Json {
  return random.next() < 0.15 ? special(random.pick(specialNames)) : random.pick(leaves);
}

type Path = readonly (string | number)[];

function pathsOf(value: Json, path: Path = [], found: Path[] = []): Path[] {
  if (path.length > 0) found.push(path);
  if (Array.isArray(value))
    for (const [index, entry] of value.entries()) pathsOf(entry, [...path, index], found);
  else if (isObject(value))
    for (const [key, entry] of Object.entries(value)) pathsOf(entry, [...path, key], found);
  return found;
}

function valueAt(value: Json, path: Path): Json {
  let found: Json = value;
  for (const key of path) found = (found as { [key: string]: Json })[key] ?? null;
  return found;
}

/** A copy with another value at a path; undefined takes it away. */
function replaceAt(value: Json, [key, ...rest]: Path, change: (before: Json) => Json | undefined): Json {
  if (key === undefined) return change(value) ?? null;
  if (Array.isArray(value)) {
    const index = Number(key);
    const changed =
      rest.length === 0 ? change(value[index] ?? null) : replaceAt(value[index] ?? null, rest, change);
    return changed === undefined ? value.toSpliced(index, 1) : value.with(index, changed);
  }
  if (!isObject(value)) return value;
  const { [key]: before = null, ...others } = value;
  const changed = rest.length === 0 ? change(before) : replaceAt(before, rest, change);
  return changed === undefined ? others : { ...value, [key]: changed };
}

function renameAt(value: Json, path: Path, name: string): Json {
  const key = path.at(-1);
  return replaceAt(value, path.slice(0, -1), (parent) => {
    if (!isObject(parent) || typeof key !== 'string') return parent;
    return Object.fromEntries(
      Object.entries(parent).map(([one, entry]) => [one === key ? name : one, entry]),
    );
  });
}

/** What mutations may put in. */
export interface JsonPool {
  /** Names that mean something in values of this kind. */
  readonly keys: readonly string[];
  /** Values that are well-formed somewhere. */
  readonly values: readonly Json[];
}

function wrapped(value: Json, random: Random, { keys }: JsonPool): Json {
  const levels = random.pick([1, 1, 2, 5, 40, 70, 300]);
  const asList = random.next() < 0.5;
  const key = random.pick(keys);
  let result = value;
  for (let level = 0; level < levels; level++) result = asList ? [result] : { [key]: result };
  return result;
}

function mutateOnce(value: Json, random: Random, pool: JsonPool): Json {
  const path = random.pick(pathsOf(value).length > 0 ? pathsOf(value) : [[]]);
  const other = () => valueAt(value, random.pick(pathsOf(value).length > 0 ? pathsOf(value) : [[]]));
  switch (random.below(8)) {
    case 0:
      return replaceAt(value, path, () => undefined);
    case 1:
      return replaceAt(value, path, () => strangeValue(random));
    case 2:
      return replaceAt(value, path, other);
    case 3:
      return replaceAt(value, path, () => random.pick(pool.values));
    case 4:
      return renameAt(value, path, random.pick(pool.keys));
    case 5:
      return replaceAt(value, path, (before) => wrapped(before, random, pool));
    case 6:
      return replaceAt(value, path, (before) => {
        if (Array.isArray(before))
          return Array.from({ length: random.pick([2, 3, 30]) }, () => before).flat();
        if (typeof before === 'string') return before.repeat(random.pick([2, 3, 100]));
        return typeof before === 'number' ? before * random.pick([-1, 2, 10, 1e6, 0.5]) : before;
      });
    default:
      return replaceAt(value, path, (before) => {
        if (Array.isArray(before)) return [...before, other()];
        return isObject(before)
          ? { ...before, [random.pick(pool.keys)]: random.next() < 0.5 ? other() : random.pick(pool.values) }
          : before;
      });
  }
}

/** A copy of an object with one to four things changed. */
export function mutateJson(value: JsonObject, random: Random, pool: JsonPool): JsonObject {
  let changed: Json = value;
  for (let times = 1 + random.below(4); times > 0; times--) changed = mutateOnce(changed, random, pool);
  return isObject(changed) ? changed : value;
}
