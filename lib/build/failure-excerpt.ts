/** How ninja, CMake, GCC, Clang and MSVC begin what went wrong. A bare "fatal:" is git's, and means nothing here. */
const failure = /^FAILED:|^CMake Error|\berror:|\berror [A-Z]+\d+:|^gmake.*\*\*\*|^make.*\*\*\*/;

const longestExcerpt = 25;

/** The part of a build's output that says why it failed: a screenful from the first error on. */
export function failureExcerpt(output: string): string {
  const lines = output.trimEnd().split(/\r?\n/);
  const first = lines.findIndex((line) => failure.test(line));
  const start = first < 0 ? Math.max(0, lines.length - longestExcerpt) : first;
  return lines.slice(start, start + longestExcerpt).join('\n');
}
