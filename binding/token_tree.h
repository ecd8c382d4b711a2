// The texts of a vocabulary as a tree: a token's parent is the longest token whose text it begins with. A
// grammar that refuses the beginning of a text refuses the text, so whole branches need not be looked at.
#pragma once

#include <string>
#include <vector>

#include "llama.h"

class TokenTree {
 public:
  // `pieces[token]` is the token's text. Tokens without text are left out.
  explicit TokenTree(const std::vector<std::string>& pieces);

  const std::vector<llama_token>& Roots() const { return roots_; }
  const llama_token* ChildrenBegin(llama_token token) const { return children_.data() + starts_[token]; }
  const llama_token* ChildrenEnd(llama_token token) const { return children_.data() + starts_[token + 1]; }

 private:
  std::vector<llama_token> roots_;
  std::vector<int32_t> starts_;  // by token: where its children begin
  std::vector<llama_token> children_;
};
