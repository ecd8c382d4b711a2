#include "template_guard.h"

#include <jinja/lexer.h>
#include <jinja/parser.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "errors.h"

namespace {

using jinja::token;

// The engine recurses for each level of nesting and for each link of a chain (`a + b + c`, `x|f|g`, `elif`),
// when it parses, evaluates and frees. The templates in llama.cpp's tree stay below a tenth of these bounds.
constexpr size_t largest_template = 1 << 20;
constexpr int most_tokens_of_a_tag = 2000;
constexpr int deepest_brackets = 100;
constexpr int deepest_blocks = 100;
constexpr int most_branches = 500;
constexpr double longest_range = 100000;
constexpr double widest_indent = 1000;
constexpr double largest_number = 1e15;  // near the ends of 64 bits, slices do not end

[[noreturn]] void Refuse(const std::string& reason) {
  throw Failure("CHAT_TEMPLATE_FAILED", "The chat template cannot be used: " + reason);
}

// Walks over the tags of a template and keeps track of blocks and macros.
class Walker {
 public:
  explicit Walker(const std::vector<token>& tokens) : tokens_(tokens) {}

  void Walk() {
    for (size_t i = 0; i < tokens_.size(); i++) {
      const bool statement = tokens_[i].t == token::open_statement;
      if (!statement && tokens_[i].t != token::open_expression) continue;
      const token::type closing = statement ? token::close_statement : token::close_expression;
      size_t end = i + 1;
      while (end < tokens_.size() && tokens_[end].t != closing) end++;
      CheckTag(i + 1, end);
      if (statement) EnterStatement(i + 1, end);
      i = end;
    }
    for (const auto& [name, calls] : calls_) {
      std::set<std::string> visited;
      if (Reaches(name, name, visited)) Refuse("its macro " + name + " calls itself without end.");
    }
  }

 private:
  struct Block {
    bool macro;
    std::string name;
    int branches = 0;
  };

  void CheckTag(size_t begin, size_t end) {
    if (end - begin > most_tokens_of_a_tag) {
      Refuse("one of its tags has more than " + std::to_string(most_tokens_of_a_tag) + " parts.");
    }
    int depth = 0;
    for (size_t i = begin; i < end; i++) {
      switch (tokens_[i].t) {
        case token::open_paren:
        case token::open_square_bracket:
        case token::open_curly_bracket:
          if (++depth > deepest_brackets) {
            Refuse("its brackets are nested more than " + std::to_string(deepest_brackets) + " deep.");
          }
          break;
        case token::close_paren:
        case token::close_square_bracket:
        case token::close_curly_bracket:
          depth--;
          break;
        case token::numeric_literal:
          if (std::fabs(std::stod(tokens_[i].value)) > largest_number) {
            Refuse("it has the number " + tokens_[i].value + ".");
          }
          break;
        case token::identifier:
          CheckIdentifier(i, end);
          CheckIndent(i, end);
          break;
        default:
          break;
      }
    }
  }

  void CheckIdentifier(size_t i, size_t end) {
    if (i + 1 >= end || tokens_[i + 1].t != token::open_paren) return;
    if (tokens_[i].value == "range") CheckRange(i + 2, end);
    // A call counts if nothing but the macro itself decides whether it happens.
    if (!blocks_.empty() && blocks_.back().macro) calls_[blocks_.back().name].insert(tokens_[i].value);
  }

  // A loop over a billion numbers would run for minutes and cannot be stopped.
  void CheckRange(size_t begin, size_t end) {
    for (size_t i = begin; i < end && tokens_[i].t != token::close_paren; i++) {
      if (tokens_[i].t == token::numeric_literal && std::stod(tokens_[i].value) > longest_range) {
        Refuse("it loops over a range of " + tokens_[i].value + ".");
      }
    }
  }

  // Each line gets so many blanks: indent(n), indent(width=n), tojson(indent=n).
  void CheckIndent(size_t i, size_t end) {
    if (tokens_[i].value != "indent" && tokens_[i].value != "width") return;
    const bool argument =
        i + 2 < end && (tokens_[i + 1].t == token::open_paren || tokens_[i + 1].t == token::equals);
    if (!argument || tokens_[i + 2].t != token::numeric_literal) return;
    if (std::stod(tokens_[i + 2].value) > widest_indent) {
      Refuse("it indents by " + tokens_[i + 2].value + " characters.");
    }
  }

  void EnterStatement(size_t begin, size_t end) {
    if (begin >= end || tokens_[begin].t != token::identifier) return;
    const std::string& word = tokens_[begin].value;
    if (word.compare(0, 3, "end") == 0) {
      if (!blocks_.empty()) blocks_.pop_back();
    } else if (word == "elif" || word == "else") {
      if (!blocks_.empty() && ++blocks_.back().branches > most_branches) {
        Refuse("one of its conditions has more than " + std::to_string(most_branches) + " branches.");
      }
    } else if (OpensBlock(word, begin, end)) {
      const bool macro = word == "macro" && begin + 1 < end;
      blocks_.push_back({macro, macro ? tokens_[begin + 1].value : ""});
      if (blocks_.size() > deepest_blocks) {
        Refuse("its blocks are nested more than " + std::to_string(deepest_blocks) + " deep.");
      }
    }
  }

  bool OpensBlock(const std::string& word, size_t begin, size_t end) const {
    if (word == "set") {
      for (size_t i = begin; i < end; i++) {
        if (tokens_[i].t == token::equals) return false;
      }
      return true;
    }
    static const std::set<std::string> names = {"if", "for", "macro", "call", "filter", "generation"};
    return names.count(word) > 0;
  }

  bool Reaches(const std::string& from, const std::string& target, std::set<std::string>& visited) const {
    const auto found = calls_.find(from);
    if (found == calls_.end()) return false;
    for (const std::string& called : found->second) {
      if (called == target) return true;
      if (visited.insert(called).second && Reaches(called, target, visited)) return true;
    }
    return false;
  }

  const std::vector<token>& tokens_;
  std::vector<Block> blocks_;
  std::map<std::string, std::set<std::string>> calls_;  // by macro: what it always calls
};

}  // namespace

void CheckTemplate(const std::string& source) {
  if (source.size() > largest_template) {
    Refuse("it has " + std::to_string(source.size()) + " bytes, and 1 MiB is the most.");
  }
  try {
    jinja::lexer lexer;
    const jinja::lexer_result result = lexer.tokenize(source);
    Walker(result.tokens).Walk();
    // llama.cpp reports a syntax error only to its log, so the template is parsed here first.
    jinja::parse_from_tokens(result);
  } catch (const Failure&) {
    throw;
  } catch (const std::exception& error) {
    Refuse(std::string("it has a syntax error: ") + error.what());
  }
}
