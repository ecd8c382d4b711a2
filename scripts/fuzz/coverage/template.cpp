// Chat templates: what the door lets in, llama.cpp parses and renders.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "../../../binding/errors.h"
#include "../../../binding/template_guard.h"
#include "../../../binding/work_budget.h"
#include "jinja/lexer.h"
#include "jinja/parser.h"
#include "jinja/runtime.h"
#include "json.h"

namespace {

common_json Conversation() {
  return common_json::parse(R"({
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": "Hi"},
      {"role": "assistant", "content": "", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "time", "arguments": {"city": "Oslo"}}}]},
      {"role": "tool", "content": "noon", "tool_call_id": "1"}
    ],
    "tools": [{"type": "function", "function": {"name": "time", "description": "The time.", "parameters":
      {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}],
    "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>"
  })");
}

void Render(const std::string& text) {
  const WorkBudget budget(std::chrono::seconds(2), size_t{64} << 20);
  jinja::lexer lexer;
  jinja::program program = jinja::parse_from_tokens(lexer.tokenize(text));
  jinja::context context(text);
  jinja::global_from_json(context, Conversation(), true);
  jinja::runtime runtime(context);
  jinja::runtime::gather_string_parts(runtime.execute(program));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    CheckTemplate(text);
    Render(text);
  } catch (const std::exception&) {
    // Refused, or its budget is spent.
  }
  return 0;
}
