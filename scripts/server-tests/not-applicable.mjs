// Which failures say nothing about our server, and why. A rule looks at the test's name and the statement that failed;
// a test that passes is never looked up here.

const originalModel = 'asserts on a text or a number of tokens of the model that the tests were written for';

/** @type {readonly { test: RegExp, statement?: RegExp, reason: string }[]} */
export const notApplicable = [
  {
    // Of these two, the numbers are about how sequences share the cache.
    test: /^(?!.*(test_completion_unified|test_ctx_shift_disabled_short_prompt\[-1))/,
    statement:
      /\["(prompt_n|predicted_n|prompt_tokens|completion_tokens|cached_tokens|input_tokens)"\] == (n_|\d|2 \* 9)|timings\["prompt_n"\] \+ timings\["cache_n"\] == n_prompt|prompt_tokens'\] == (n_tokens|2 \* 9)|== "<s> " \+ prompt|tokens"\]\[0\] == bosId/,
    reason: originalModel,
  },
  {
    test: /test_completion_with_(response_format|json_schema)/,
    statement: /match_regex/,
    reason:
      'the test model begins with a code fence, which is no part of the text, and six tokens end before the text does',
  },
  {
    test: /test_nocache_long_input_prompt/,
    reason: 'the prompt is too long only in tokens of the model that the tests were written for',
  },
  {
    test: /test_kv_keep_only_active/,
    reason: 'reads marks that llama-server leaves in its log',
  },
  {
    test: /test_infill/,
    reason: 'the model with tokens for filling in cannot be had here; the test model has none',
  },
];

export const foreignText =
  'asserts on a text of the model that the tests were written for; all else of it holds';

/** Why a failure is not ours to mend; undefined if it is. */
export function reasonFor(test, statement) {
  const rule = notApplicable.find(
    (candidate) =>
      candidate.test.test(test) &&
      (candidate.statement === undefined || candidate.statement.test(statement ?? '')),
  );
  return rule?.reason;
}
