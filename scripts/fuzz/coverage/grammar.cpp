// GBNF: what the door lets in, llama.cpp parses and follows.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "../../../binding/errors.h"
#include "../../../binding/gbnf_check.h"
#include "../../../binding/work_budget.h"
#include "llama-grammar.h"

namespace {

// Characters that the grammars of the corpus begin with.
const std::string answer = "{\"name\": \"J 1\"}a1 (x)";

void Follow(const std::string& text) {
  const WorkBudget budget(std::chrono::seconds(2), size_t{256} << 20);
  llama_grammar* grammar =
      llama_grammar_init_impl(nullptr, text.c_str(), "root", false, nullptr, 0, nullptr, 0);
  if (grammar == nullptr) return;
  try {
    for (const char character : answer) {
      if (llama_grammar_get_stacks(grammar).empty()) break;
      llama_grammar_accept(grammar, static_cast<uint8_t>(character));
    }
  } catch (const std::exception&) {
    // Too ambiguous: its budget is spent.
  }
  llama_grammar_free_impl(grammar);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    if (!CheckGrammar(text).names_tokens) Follow(text);
  } catch (const std::exception&) {
    // Refused.
  }
  return 0;
}
