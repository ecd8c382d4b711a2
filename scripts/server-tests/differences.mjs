// Why a test fails that is about our server, in words for people. A failure without a row here is told by its assertion.

/** @type {readonly { test: RegExp, statement?: RegExp, reason: string }[]} */
export const differences = [];

export function differenceOf(test, statement) {
  return differences.find(
    (candidate) =>
      candidate.test.test(test) &&
      (candidate.statement === undefined || candidate.statement.test(statement ?? '')),
  )?.reason;
}
