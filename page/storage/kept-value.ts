/** Reads a JSON value that the browser keeps; undefined if there is none, or none that can be read. */
export function readKept(name: string, storage: () => Storage = () => localStorage): unknown {
  try {
    return JSON.parse(storage().getItem(`llama-native.${name}`) ?? 'null') ?? undefined;
  } catch {
    return undefined; // damaged, or the browser keeps nothing
  }
}

/** Keeps a JSON value, or forgets it if it is undefined. Where the browser keeps nothing it lasts as long as the page. */
export function keep(name: string, value: unknown, storage: () => Storage = () => localStorage): void {
  try {
    if (value === undefined) storage().removeItem(`llama-native.${name}`);
    else storage().setItem(`llama-native.${name}`, JSON.stringify(value));
  } catch {
    // full or forbidden
  }
}
