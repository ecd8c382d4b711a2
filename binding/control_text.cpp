#include "control_text.h"

#include <algorithm>
#include <cctype>
#include <list>
#include <string_view>

namespace {

struct SpecialToken {
  std::string_view text;
  llama_token_attr attributes;

  bool IsControl() const { return (attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0; }
};

// The tokens that llama.cpp looks for before it splits text into words, in its order.
std::vector<SpecialToken> SpecialTokens(const Model& model) {
  constexpr int special = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN;
  std::vector<SpecialToken> tokens;
  for (llama_token id = 0; id < model.vocabulary_size; id++) {
    const llama_token_attr attributes = llama_vocab_get_attr(model.vocabulary, id);
    if ((attributes & special) == 0) continue;
    const std::string_view text = llama_vocab_get_text(model.vocabulary, id);
    if (!text.empty()) tokens.push_back({text, attributes});
  }
  std::stable_sort(tokens.begin(), tokens.end(), [](const SpecialToken& a, const SpecialToken& b) {
    return a.text.size() > b.text.size();
  });
  return tokens;
}

// A stretch of the prompt: the text of a special token, or what lies between two of them.
struct Stretch {
  size_t begin;
  size_t end;
  const SpecialToken* token;  // null: free text
};

// Splits a prompt the way llama.cpp does: the longest token's text first, everywhere.
std::list<Stretch> Split(const std::string& prompt, const std::vector<SpecialToken>& tokens) {
  std::list<Stretch> stretches = {{0, prompt.size(), nullptr}};
  for (const SpecialToken& token : tokens) {
    for (auto it = stretches.begin(); it != stretches.end(); ++it) {
      if (it->token != nullptr) continue;
      const size_t found = std::string_view(prompt).substr(0, it->end).find(token.text, it->begin);
      if (found == std::string_view::npos) continue;
      const size_t behind = found + token.text.size();
      if (behind < it->end) stretches.insert(std::next(it), {behind, it->end, nullptr});
      stretches.insert(std::next(it), {found, behind, &token});
      it->end = found;
    }
  }
  return stretches;
}

std::string Without(std::string text, const std::string& mark) {
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    text.erase(at, mark.size());
  }
  return text;
}

bool IsSpace(char character) {
  return std::isspace(static_cast<unsigned char>(character)) != 0;
}

// Some control tokens swallow the white space beside them.
void Strip(std::string& text, const SpecialToken* before, const SpecialToken* after) {
  if (before != nullptr && (before->attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0) {
    text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), IsSpace));
  }
  if (after != nullptr && (after->attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0) {
    text.erase(std::find_if_not(text.rbegin(), text.rend(), IsSpace).base(), text.end());
  }
}

}  // namespace

std::vector<llama_token> TokenizeMarked(const Model& model, std::string& prompt, const std::string& mark) {
  if (mark.empty() || prompt.find(mark) == std::string::npos) return model.Tokenize(prompt, true, true);

  const std::vector<SpecialToken> special = SpecialTokens(model);
  std::list<Stretch> stretches = Split(prompt, special);
  // A user-defined token is found in free text too, so only control tokens part what is read differently.
  stretches.remove_if([](const Stretch& stretch) { return stretch.begin == stretch.end; });
  std::vector<Stretch> merged;
  for (const Stretch& stretch : stretches) {
    const bool free = stretch.token == nullptr || !stretch.token->IsControl();
    if (free && !merged.empty() && merged.back().token == nullptr) {
      merged.back().end = stretch.end;
    } else {
      merged.push_back({stretch.begin, stretch.end, free ? nullptr : stretch.token});
    }
  }

  std::vector<llama_token> tokens;
  if (llama_vocab_get_add_bos(model.vocabulary)) tokens.push_back(llama_vocab_bos(model.vocabulary));
  std::string usual;
  const auto append = [&](const std::string& text, bool parse_special) {
    if (text.empty()) return;
    const std::vector<llama_token> more = model.Tokenize(text, false, parse_special);
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  for (size_t i = 0; i < merged.size(); i++) {
    std::string text = prompt.substr(merged[i].begin, merged[i].end - merged[i].begin);
    if (merged[i].token != nullptr || text.find(mark) == std::string::npos) {
      usual += text;
      continue;
    }
    append(usual, true);
    usual.clear();
    text = Without(text, mark);
    Strip(text, i > 0 ? merged[i - 1].token : nullptr, i + 1 < merged.size() ? merged[i + 1].token : nullptr);
    append(text, false);
  }
  append(usual, true);
  if (llama_vocab_get_add_eos(model.vocabulary)) tokens.push_back(llama_vocab_eos(model.vocabulary));
  prompt = Without(prompt, mark);
  return tokens;
}

Napi::Value GetControlTexts(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  auto texts = Napi::Array::New(info.Env());
  for (const SpecialToken& token : SpecialTokens(*model)) {
    if (token.IsControl()) texts.Set(texts.Length(), std::string(token.text));
  }
  return texts;
}
