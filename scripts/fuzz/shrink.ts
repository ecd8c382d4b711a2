import { isObject, type Json, type JsonObject } from './json.js';

/** How a shorter input is looked for. */
export interface ShrinkLimits {
  readonly tries: number;
  readonly milliseconds: number;
}

/** Values a little simpler than this one, the most daring first. */
function* simpler(value: Json): Generator<Json> {
  if (typeof value === 'string') yield* shorterTexts(value);
  else if (Array.isArray(value)) yield* simplerLists(value);
  else if (isObject(value)) yield* simplerObjects(value);
}

/** Without one of its halves, quarters, and so on down to single characters of short texts. */
function* shorterTexts(text: string): Generator<string> {
  for (
    let size = Math.ceil(text.length / 2);
    size >= Math.max(1, text.length / 64);
    size = Math.floor(size / 2)
  ) {
    for (let at = 0; at < text.length; at += size) yield text.slice(0, at) + text.slice(at + size);
  }
}

function* simplerLists(list: readonly Json[]): Generator<Json> {
  for (let size = Math.ceil(list.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < list.length; at += size) yield [...list.slice(0, at), ...list.slice(at + size)];
  }
  for (const [index, entry] of list.entries()) {
    for (const other of simpler(entry)) yield list.with(index, other);
  }
}

function* simplerObjects(object: JsonObject): Generator<Json> {
  const entries = Object.entries(object);
  for (const [key] of entries) yield Object.fromEntries(entries.filter(([other]) => other !== key));
  for (const [key, value] of entries) {
    if (isObject(value) || Array.isArray(value)) {
      for (const inner of Object.values(value)) yield { ...object, [key]: inner };
    }
    for (const other of simpler(value)) yield { ...object, [key]: other };
  }
}

/** The smallest input found, in bounded tries, that still does what the given one does. */
export async function shrink(
  input: JsonObject,
  stillFails: (candidate: JsonObject) => Promise<boolean>,
  limits: ShrinkLimits,
): Promise<JsonObject> {
  const begun = performance.now();
  let smallest = input;
  let tries = 0;
  for (let found = true; found; ) {
    found = false;
    for (const candidate of simpler(smallest)) {
      if (++tries > limits.tries || performance.now() - begun > limits.milliseconds) return smallest;
      if (!(await stillFails(candidate as JsonObject))) continue;
      smallest = candidate as JsonObject;
      found = true;
      break;
    }
  }
  return smallest;
}
