/** A piece of an expression that parentheses are counted by: those in classes and escapes are none. */
const piece = /\\.|\[(?:\\.|[^\]\\])*\]|\(\?<?[=!]|\(|\)|./gsu;

/**
 * A regular expression without its lookaheads and lookbehinds: it matches all that it matched, and perhaps more.
 * @param source of an expression that JavaScript accepts.
 */
export function withoutLookaround(source: string): string {
  let kept = '';
  /** Groups that are open within the outermost lookaround. */
  let open = 0;
  for (const [text] of source.matchAll(piece)) {
    const begins = /^\(\?<?[=!]$/.test(text);
    if (open === 0 && !begins) kept += text;
    else if (text.startsWith('(')) open++;
    else if (text === ')') open--;
  }
  return kept;
}
