// A grammar that an answer has to follow, in llama.cpp's own matcher, and quick ways to ask it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "llama.h"
#include "model.h"
#include "node_api.h"

// GBNF for a JSON schema given as JSON text. Throws INVALID_SCHEMA with what cannot be expressed. Recurses:
// call it on a thread with a large stack.
std::string GrammarOfJsonSchema(const std::string& schema);
// The same for numbers that a double can hold: llama.cpp's may have exponents of sixteen digits.
std::string BoundExponents(std::string grammar);

class Grammar {
 public:
  // With `triggers`, regular expressions, it holds only from where one of them matches what was accepted.
  // Throws INVALID_GRAMMAR. Recurses: call it on a thread with a large stack.
  Grammar(std::shared_ptr<Model> model, const std::string& text,
          const std::vector<std::string>& triggers = {});

  // Whether a token may come next.
  bool Allows(llama_token token) const;
  // An end-of-generation token, if the text may end here; else −1.
  llama_token End() const;
  // Fills `candidates` with the `k` allowed tokens of the largest logits, descending; with fewer if there are
  // no more above negative infinity.
  void CollectLargestAllowed(const float* logits, int32_t k, std::vector<float>& scratch,
                             std::vector<llama_token_data>& candidates) const;
  // Fills `row` with the logits of allowed tokens, and negative infinity elsewhere.
  void CopyAllowed(const float* logits, std::vector<float>& row) const;
  // The same by asking about every token; for tests.
  void CopyAllowedSlowly(const float* logits, std::vector<float>& row) const;
  // The answer goes on with this token, which must be an allowed one.
  void Accept(llama_token token);

 private:
  template <typename Found>
  void VisitAllowed(Found found) const;
  void Check(std::vector<llama_token_data>& candidates) const;

  std::shared_ptr<Model> model_;
  std::unique_ptr<llama_sampler, void (*)(llama_sampler*)> matcher_;
  bool prunes_ = true;
};

// (model, grammar, Int32Array) => Promise<boolean>: whether the tokens are a whole text of the grammar.
Napi::Value MatchesGrammar(const Napi::CallbackInfo& info);
Napi::Value JsonSchemaToGrammar(const Napi::CallbackInfo& info);  // (schema) => Promise<string>
