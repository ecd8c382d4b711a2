#include "control_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <list>
#include <string_view>
#include <unordered_set>

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

// Texts that are found at places, as fast as the places are many.
class TextSet {
 public:
  explicit TextSet(const std::vector<SpecialToken>& tokens) {
    for (const SpecialToken& token : tokens) {
      if (token.IsControl()) continue;
      texts_.insert(token.text);
      starts_[static_cast<unsigned char>(token.text.front())] = true;
      longest_ = std::max(longest_, token.text.size());
    }
  }

  // Whether one of them lies across a place.
  bool Span(std::string_view text, size_t place) const {
    const size_t reach = std::min(place, longest_);
    for (size_t begin = place - reach; begin < place; begin++) {
      if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
      const size_t most = std::min(longest_, text.size() - begin);
      for (size_t length = place - begin + 1; length <= most; length++) {
        if (texts_.count(text.substr(begin, length)) > 0) return true;
      }
    }
    return false;
  }

 private:
  std::unordered_set<std::string_view> texts_;
  std::array<bool, 256> starts_ = {};
  size_t longest_ = 0;
};

// A text without its marks, and where they were.
struct Unmarked {
  std::string text;
  std::vector<size_t> places;
};

Unmarked TakeMarks(std::string_view text, const std::string& mark) {
  Unmarked result;
  size_t from = 0;
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, from)) {
    result.text.append(text, from, at - from);
    result.places.push_back(result.text.size());
    from = at + mark.size();
  }
  result.text.append(text, from, std::string::npos);
  return result;
}

bool IsSpace(char character) {
  return std::isspace(static_cast<unsigned char>(character)) != 0;
}

// Some control tokens swallow the white space beside them.
void Strip(Unmarked& stretch, const SpecialToken* before, const SpecialToken* after) {
  std::string& text = stretch.text;
  if (after != nullptr && (after->attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0) {
    text.erase(std::find_if_not(text.rbegin(), text.rend(), IsSpace).base(), text.end());
  }
  if (before != nullptr && (before->attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0) {
    const auto begin = std::find_if_not(text.begin(), text.end(), IsSpace);
    const auto stripped = static_cast<size_t>(begin - text.begin());
    text.erase(text.begin(), begin);
    for (size_t& place : stretch.places) place -= std::min(place, stripped);
  }
}

// The tokens of a text that goes on after another. SentencePiece would put a space in front of it, so it is
// read behind a line end, which becomes one with nothing.
std::vector<llama_token> TokenizeNext(const Model& model, const std::string& text) {
  if (llama_vocab_type(model.vocabulary) == LLAMA_VOCAB_TYPE_SPM) {
    const std::vector<llama_token> before = model.Tokenize("\n", false, false);
    std::vector<llama_token> tokens = model.Tokenize("\n" + text, false, false);
    const auto end = tokens.begin() + static_cast<std::ptrdiff_t>(std::min(before.size(), tokens.size()));
    if (std::equal(before.begin(), before.end(), tokens.begin(), end)) {
      tokens.erase(tokens.begin(), end);
      return tokens;
    }
  }
  return model.Tokenize(text, false, false);
}

// Reads a stretch of text as nothing but text. Without control tokens llama.cpp still looks for the
// user-defined ones, so it gets those that a caller wrote in two parts.
std::vector<llama_token> TokenizeText(const Model& model, const Unmarked& stretch,
                                      const TextSet& user_defined) {
  const std::string& text = stretch.text;
  std::vector<llama_token> tokens;
  size_t from = 0;
  const auto append = [&](size_t to) {
    if (to == from) return;
    const std::string part = text.substr(from, to - from);
    const std::vector<llama_token> more =
        from == 0 ? model.Tokenize(part, false, false) : TokenizeNext(model, part);
    tokens.insert(tokens.end(), more.begin(), more.end());
    from = to;
  };
  for (const size_t place : stretch.places) {
    if (place < text.size() && user_defined.Span(text, place)) append(place);
  }
  append(text.size());
  return tokens;
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

  const TextSet user_defined(special);
  std::vector<llama_token> tokens;
  if (llama_vocab_get_add_bos(model.vocabulary)) tokens.push_back(llama_vocab_bos(model.vocabulary));
  std::string usual;
  const auto append = [&](const std::vector<llama_token>& more) {
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  for (size_t i = 0; i < merged.size(); i++) {
    const std::string text = prompt.substr(merged[i].begin, merged[i].end - merged[i].begin);
    if (merged[i].token != nullptr || text.find(mark) == std::string::npos) {
      usual += text;
      continue;
    }
    append(model.Tokenize(usual, false, true));
    usual.clear();
    Unmarked stretch = TakeMarks(text, mark);
    Strip(stretch, i > 0 ? merged[i - 1].token : nullptr,
          i + 1 < merged.size() ? merged[i + 1].token : nullptr);
    append(TokenizeText(model, stretch, user_defined));
  }
  append(model.Tokenize(usual, false, true));
  if (llama_vocab_get_add_eos(model.vocabulary)) tokens.push_back(llama_vocab_eos(model.vocabulary));
  prompt = TakeMarks(prompt, mark).text;
  return tokens;
}

Napi::Value GetControlTexts(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  auto texts = Napi::Array::New(info.Env());
  for (const SpecialToken& token : SpecialTokens(*model)) {
    auto text = Napi::Object::New(info.Env());
    text.Set("text", std::string(token.text));
    text.Set("isUserDefined", !token.IsControl());
    texts.Set(texts.Length(), text);
  }
  return texts;
}
