#include "grammar.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>
#include <utility>

#include "arguments.h"
#include "backend.h"
#include "gbnf_check.h"
#include "json-schema-to-grammar.h"
#include "logits_scan.h"
#include "promise_worker.h"
#include "work_budget.h"

namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();
constexpr float allowed_mark = 0;
// A grammar so ambiguous that one token takes longer would soon stop all generations of its context.
constexpr auto most_time = std::chrono::seconds(2);
constexpr size_t most_bytes = size_t{256} << 20;

// Does something that takes long if the grammar is ambiguous.
template <typename Work>
void WithinBudget(Work work) {
  const WorkBudget budget(most_time, most_bytes);
  try {
    work();
  } catch (const Failure&) {
    throw;
  } catch (const std::exception&) {
    if (budget.Reason() == nullptr) throw;
    throw Failure("INVALID_GRAMMAR", std::string("The grammar is too ambiguous: following it, ") +
                                         budget.Reason() + ". Let each alternative begin differently.");
  }
}

constexpr size_t longest_schema = size_t{1} << 20;
constexpr int deepest_schema = 200;

// Brackets that are open at once, those inside texts not counted.
int NestingOf(const std::string& json) {
  int depth = 0;
  int deepest = 0;
  bool in_text = false;
  for (size_t i = 0; i < json.size(); i++) {
    const char c = json[i];
    if (in_text && c == '\\') i++;
    if (c == '"') in_text = !in_text;
    if (in_text) continue;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') depth--;
  }
  return deepest;
}

// A pattern that llama.cpp cannot express becomes "any text" there, with a word on standard error only.
void CheckPattern(const common_json& pattern) {
  common_json schema = common_json::object();
  schema["type"] = "string";
  schema["pattern"] = pattern;
  if (json_schema_to_grammar(schema, true).find("\nroot ::= string\n") == std::string::npos) return;
  throw Failure("INVALID_SCHEMA",
                "The pattern " + pattern.dump() +
                    " cannot be expressed as a grammar. Begin it with ^, end it with $, "
                    "and use characters, classes such as [0-9], groups, | and repetitions only.");
}

// Schemas lie in schemas, lists of them, and maps from names to them.
void CheckPatterns(const common_json& schema) {
  if (schema.is_array()) {
    for (const common_json& entry : schema) CheckPatterns(entry);
  }
  if (!schema.is_object()) return;
  for (const auto& [name, value] : schema.items()) {
    if (name == "pattern" && value.is_string()) CheckPattern(value);
    if (name != "const" && name != "enum" && name != "default" && name != "examples") CheckPatterns(value);
  }
}

}  // namespace

std::string GrammarOfJsonSchema(const std::string& schema) {
  if (schema.size() > longest_schema || NestingOf(schema) > deepest_schema) {
    throw Failure("INVALID_SCHEMA", "Expected a JSON schema of at most " + std::to_string(longest_schema) +
                                        " bytes, nested at most " + std::to_string(deepest_schema) +
                                        " deep.");
  }
  try {
    const common_json parsed = common_json::parse(schema);
    CheckPatterns(parsed);
    return json_schema_to_grammar(parsed, true);
  } catch (const Failure&) {
    throw;
  } catch (const std::exception& error) {
    throw Failure("INVALID_SCHEMA",
                  std::string("The JSON schema cannot be expressed as a grammar. ") + error.what());
  }
}

std::string BoundExponents(std::string grammar) {
  static constexpr std::string_view unbounded = "([eE] [-+]? integral-part)";
  static constexpr std::string_view bounded = "([eE] [-+]? [0-9]{1,2})";
  for (size_t at = grammar.find(unbounded); at != std::string::npos; at = grammar.find(unbounded, at)) {
    grammar.replace(at, unbounded.size(), bounded);
    at += bounded.size();
  }
  return grammar;
}

Grammar::Grammar(std::shared_ptr<Model> model, const std::string& text,
                 const std::vector<std::string>& triggers)
    : model_(std::move(model)), matcher_(nullptr, llama_sampler_free) {
  prunes_ = !CheckGrammar(text).names_tokens;
  model_->Tree();  // made here rather than on the thread that generates
  LogCapture log;
  const auto make = [&] {
    if (triggers.empty()) {
      matcher_.reset(llama_sampler_init_grammar(model_->vocabulary, text.c_str(), "root"));
    } else {
      std::vector<const char*> patterns;
      for (const std::string& trigger : triggers) patterns.push_back(trigger.c_str());
      matcher_.reset(llama_sampler_init_grammar_lazy_patterns(model_->vocabulary, text.c_str(), "root",
                                                              patterns.data(), patterns.size(), nullptr, 0));
    }
  };
  try {
    WithinBudget(make);
  } catch (const Failure&) {
    throw;
  } catch (const std::exception& error) {
    throw Failure("INVALID_GRAMMAR", std::string("llama.cpp refused the grammar: ") + error.what());
  }
  if (!matcher_) throw Failure("INVALID_GRAMMAR", "llama.cpp refused the grammar. " + log.Text());
}

// Gives negative infinity to those that may not come next.
void Grammar::Check(std::vector<llama_token_data>& candidates) const {
  if (candidates.empty()) return;
  llama_token_data_array array = {candidates.data(), candidates.size(), -1, false};
  WithinBudget([&] { llama_sampler_apply(matcher_.get(), &array); });
}

bool Grammar::Allows(llama_token token) const {
  std::vector<llama_token_data> candidate = {{token, allowed_mark, 0.0F}};
  Check(candidate);
  return candidate.front().logit == allowed_mark;
}

llama_token Grammar::End() const {
  const WorkBudget budget(most_time, most_bytes);
  for (const llama_token token : model_->EndTokens()) {
    if (Allows(token)) return token;
  }
  return -1;
}

// Level by level: below a token that is not allowed no other is.
template <typename Found>
void Grammar::VisitAllowed(Found found) const {
  const WorkBudget budget(most_time, most_bytes);
  const TokenTree& tree = model_->Tree();
  std::vector<llama_token_data> level;
  for (const llama_token token : tree.Roots()) level.push_back({token, allowed_mark, 0.0F});
  for (const llama_token token : model_->EndTokens()) level.push_back({token, allowed_mark, 0.0F});
  std::vector<llama_token_data> next;
  while (!level.empty()) {
    Check(level);
    next.clear();
    for (const llama_token_data& candidate : level) {
      if (candidate.logit == allowed_mark) found(candidate.id);
      if (candidate.logit != allowed_mark && prunes_) continue;
      const llama_token* end = tree.ChildrenEnd(candidate.id);
      for (const llama_token* child = tree.ChildrenBegin(candidate.id); child != end; child++) {
        next.push_back({*child, allowed_mark, 0.0F});
      }
    }
    level.swap(next);
  }
}

void Grammar::CollectLargestAllowed(const float* logits, int32_t k, std::vector<float>& scratch,
                                    std::vector<llama_token_data>& candidates) const {
  // Where much is allowed, some of it is among the most probable tokens. Where little is, the tree finds it
  // soon.
  const int32_t blocks = model_->vocabulary_size / 128;
  for (const int32_t count : {std::max(k, 64), std::min(1024, blocks)}) {
    if (count < k || !CollectLargest(logits, model_->vocabulary_size, count, scratch, candidates)) continue;
    std::vector<llama_token_data> checked = candidates;
    Check(checked);
    size_t kept = 0;
    for (size_t i = 0; i < checked.size(); i++) {
      if (checked[i].logit != minus_infinity) candidates[kept++] = candidates[i];
    }
    candidates.resize(std::min(kept, static_cast<size_t>(k)));
    if (candidates.size() == static_cast<size_t>(k)) return;
  }
  candidates.clear();
  VisitAllowed([&](llama_token token) {
    if (logits[token] > minus_infinity) candidates.push_back({token, logits[token], 0.0F});
  });
  const size_t kept = std::min(candidates.size(), static_cast<size_t>(k));
  std::partial_sort(
      candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(kept), candidates.end(),
      [](const auto& a, const auto& b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); });
  candidates.resize(kept);
}

void Grammar::CopyAllowed(const float* logits, std::vector<float>& row) const {
  row.assign(model_->vocabulary_size, minus_infinity);
  VisitAllowed([&](llama_token token) { row[token] = logits[token]; });
}

void Grammar::CopyAllowedSlowly(const float* logits, std::vector<float>& row) const {
  std::vector<llama_token_data> candidates;
  for (llama_token token = 0; token < model_->vocabulary_size; token++) {
    candidates.push_back({token, logits[token], 0.0F});
  }
  Check(candidates);
  row.clear();
  for (const llama_token_data& candidate : candidates) row.push_back(candidate.logit);
}

void Grammar::Accept(llama_token token) {
  if (llama_vocab_is_eog(model_->vocabulary, token) && !Allows(token)) return;  // llama.cpp aborts here
  WithinBudget([&] { llama_sampler_accept(matcher_.get(), token); });
}

Napi::Value JsonSchemaToGrammar(const Napi::CallbackInfo& info) {
  std::string schema = ReadString(info[0], "schema");
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [schema = std::move(schema)] { return GrammarOfJsonSchema(schema); },
      [](Napi::Env env, std::string& grammar) -> Napi::Value { return Napi::String::New(env, grammar); });
}

Napi::Value MatchesGrammar(const Napi::CallbackInfo& info) {
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  std::vector<llama_token> tokens = ReadTokens(info[2]);
  model->CheckTokens(tokens);
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [model, text = ReadString(info[1], "grammar"), tokens = std::move(tokens)] {
        Grammar grammar(model, text);
        for (const llama_token token : tokens) {
          if (!grammar.Allows(token)) return false;
          grammar.Accept(token);
        }
        return grammar.End() >= 0;
      },
      [](Napi::Env env, bool& matches) -> Napi::Value { return Napi::Boolean::New(env, matches); });
}
