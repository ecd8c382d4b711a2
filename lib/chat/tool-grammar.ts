/** The free text that llama.cpp's grammars let a model write before a call it must make. */
const textBeforeCalls = /\s*\buntil-\d+\??(?=\s+(?:space\s+)?[\w-]*tool-call)/g;

/**
 * The grammar of an answer that has to call a tool, without the free text before the call: a model that does not want
 * to call could write on until its tokens are used up. Its reasoning stays.
 */
export function callAtOnce(grammar: string): string {
  return grammar.replace(/^root ::=.*$/m, (root) => root.replaceAll(textBeforeCalls, ''));
}

/** The grammar of an answer with one call at most, also where llama.cpp's allows several whatever it is told. */
export function callOnce(grammar: string): string {
  return grammar.replace(/^tool-calls ::= \((tool-call[\w-]*) space\)\+$/m, 'tool-calls ::= $1 space');
}
