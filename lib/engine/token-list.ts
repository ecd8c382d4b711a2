/** Token ids in either form. */
export type TokenList = Int32Array | readonly number[];

/** How many tokens two lists have in common from their beginning. */
export function commonPrefixLength(a: TokenList, b: TokenList): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return length;
}
