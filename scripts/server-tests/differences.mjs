// Why a test fails that is about our server, in words for people. A failure without a row here is told by its assertion.

/** @type {readonly { test: RegExp, statement?: RegExp, reason: string }[]} */
export const differences = [
  {
    test: /./,
    statement: /system_fingerprint/,
    reason:
      "`system_fingerprint` is a digest (`fp_…`), as in OpenAI's API; llama-server has its build number there",
  },
  {
    test: /./,
    statement: /delta(\.|"\]\[")content("\])? is None/,
    reason: 'the first event of a stream has an empty `content`, as OpenAI has it; llama-server has null',
  },
  {
    test: /test_chat_completion\[codellama70b/,
    statement: /status_code == 200/,
    reason: 'a name that no model has is 404; llama-server with one model takes any name',
  },
  {
    test: /test_completion_stream_vs_non_stream|test_completion_with_tokens_input/,
    statement: /content/,
    reason: 'relies on `--seed` or `--temp` as defaults of requests, which the server does not have',
  },
  {
    test: /test_server_props|test_context_size_exceeded/,
    statement: /n_ctx/,
    reason: 'sequences share the whole cache; llama-server divides it among its slots',
  },
  {
    test: /test_server_models/,
    statement: /\["data"\]/,
    reason: "`/models` is the simple API's list; OpenAI's is at `/v1/models`",
  },
  {
    test: /./,
    statement: /__verbose/,
    reason: 'there is no `verbose`, which shows the prompt in an answer',
  },
  { test: /test_return_progress|on_prompt_progress/, reason: 'there is no `return_progress`' },
  {
    test: /test_chat_completions_token_count/,
    reason: 'there is no `/chat/completions/input_tokens`; `/v1/messages/count_tokens` counts',
  },
  {
    test: /test_invalid_chat_completion_req/,
    reason: 'two messages of the assistant at the end are taken, and the last one is continued',
  },
  {
    test: /test_anthropic.*(image|vision)/,
    statement: /== 500/,
    reason: 'a picture that cannot be read is 400; llama-server has 500',
  },
  { test: /test_anthropic_empty_messages/, reason: 'an empty list of messages is 400' },
  {
    test: /test_embedding_error_prompt_too_long/,
    reason: 'a text that is too long is refused, in other words',
  },
  {
    test: /./,
    statement: /Expected non empty content delta/,
    reason: 'the first event of a stream has an empty `content`, as OpenAI has it; llama-server has null',
  },
  {
    test: /test_completion_without_tool_call_fast/,
    statement: /error: 500/,
    reason:
      'the test model does not write what the template of Llama 3.3 asks for, which its parser refuses (`chat_output_invalid`)',
  },
  {
    test: /test_access_static_assets/,
    reason:
      'the page has other files (no service worker), and what is not there wants a key before it is 404',
  },
  {
    test: /test_ignore_eos/,
    reason: 'the settings of an answer do not list the tokens that `ignore_eos` forbids',
  },
  {
    test: /test_responses/,
    statement: /no POST \/responses/,
    reason: 'the Responses API is at `/v1/responses` alone',
  },
  {
    test: /test_completion_unified/,
    reason:
      'where the shared cache is full an answer may end early as `truncated`; llama-server fails such requests with 500',
  },
  {
    test: /test_ctx_shift_disabled/,
    reason: 'sequences share the whole cache; llama-server divides it among its slots',
  },
  { test: /test_n_probs_post/, reason: 'probabilities after sampling are not told: 501' },
  { test: /test_mcp_no_proxy/, reason: 'there is no proxy for MCP at all: 404; llama-server has 403' },
  { test: /test_server_slots/, reason: '`/slots` cannot be switched off' },
  { test: /test_metrics_disabled/, reason: '`/metrics` cannot be switched off' },
  {
    test: /test_metrics/,
    statement: /Process-Start-Time-Unix|fetch_metrics/,
    reason: "`/metrics` has names of its own, not llama-server's (`llamacpp:…`), and no such header",
  },
  {
    test: /test_embedding_mixed_input/,
    reason: 'an empty text is 400, as in the OpenAI API; text and token ids mixed in one input are not taken',
  },
  {
    test: /test_cors/,
    reason:
      'CORS is closed unless origins are allowed, answers a preflight with 204, and names the headers and methods it takes',
  },
];

/** Why it fails, in words; `failure` is the statement that failed with what it said. */
export function differenceOf(test, failure) {
  return differences.find(
    (candidate) =>
      candidate.test.test(test) && (candidate.statement === undefined || candidate.statement.test(failure)),
  )?.reason;
}
