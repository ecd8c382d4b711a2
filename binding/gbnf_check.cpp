#include "gbnf_check.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "errors.h"

namespace {

constexpr size_t longest_text = size_t{1} << 20;
constexpr int deepest_nesting = 500;
constexpr uint64_t most_repetitions = 2000;  // llama.cpp's own limit
constexpr uint64_t most_elements = 500'000;
constexpr uint64_t most_beginnings =
    10'000;  // of one rule: so many stacks may llama.cpp have to follow at once
constexpr uint64_t most_skipped =
    1000;  // of those, behind parts that may be empty: there such stacks multiply
constexpr uint64_t most_work = 50'000'000;  // of llama.cpp's search for left recursion
constexpr uint64_t no_limit = UINT64_MAX;

// A part of a sequence: characters or a token, or another rule.
struct Symbol {
  int32_t rule = -1;
  uint64_t elements = 1;  // in llama.cpp's form
};
using Sequence = std::vector<Symbol>;

struct Rule {
  std::string name;
  bool defined = false;
  std::vector<Sequence> alternatives;
};

uint64_t ElementsOf(const Sequence& symbols, size_t from) {
  uint64_t sum = 0;
  for (size_t i = from; i < symbols.size(); i++) sum += symbols[i].elements;
  return sum;
}

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Reads the notation in the same way as llama.cpp, into rules without their characters.
class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text) {}

  std::vector<Rule> Read() {
    SkipSpace(true);
    while (Peek() != '\0') ReadRule();
    for (const Rule& rule : rules_) {
      if (!rule.defined) Fail("the rule " + rule.name + " is used but not defined", false);
    }
    const auto root = ids_.find("root");
    if (root == ids_.end()) Fail("there is no rule named root, where every text begins", false);
    return std::move(rules_);
  }

  bool names_tokens() const { return names_tokens_; }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  [[noreturn]] void Fail(const std::string& reason, bool place = true) const {
    std::string message = "The grammar is not valid: " + reason;
    if (place) {
      const auto begin = text_.begin();
      const auto here = begin + static_cast<std::ptrdiff_t>(std::min(at_, text_.size()));
      const auto line = std::count(begin, here, '\n') + 1;
      const size_t last_break = at_ == 0 ? std::string::npos : text_.rfind('\n', at_ - 1);
      const size_t column = last_break == std::string::npos ? at_ + 1 : at_ - last_break;
      message += " at line " + std::to_string(line) + ", column " + std::to_string(column);
    }
    throw Failure("INVALID_GRAMMAR", message + ".");
  }

  void SkipSpace(bool newlines) {
    for (char c = Peek(); c == ' ' || c == '\t' || c == '#' || (newlines && (c == '\r' || c == '\n'));
         c = Peek()) {
      if (c != '#') {
        at_++;
        continue;
      }
      while (Peek() != '\0' && Peek() != '\r' && Peek() != '\n') at_++;
    }
  }

  int32_t RuleId(const std::string& name) {
    const auto [entry, added] = ids_.emplace(name, static_cast<int32_t>(rules_.size()));
    if (added) rules_.push_back({name, false, {}});
    return entry->second;
  }

  // A rule that llama.cpp makes of a group or a repetition.
  int32_t AddRule(const std::string& owner, std::vector<Sequence> alternatives) {
    rules_.push_back({owner, true, std::move(alternatives)});
    return static_cast<int32_t>(rules_.size()) - 1;
  }

  std::string ReadName() {
    const size_t begin = at_;
    while (IsWord(Peek())) at_++;
    if (at_ == begin) Fail("expected the name of a rule");
    return text_.substr(begin, at_ - begin);
  }

  uint64_t ReadNumber() {
    if (!IsDigit(Peek())) Fail("expected a whole number");
    uint64_t number = 0;
    for (; IsDigit(Peek()); at_++) number = std::min<uint64_t>(number * 10 + (Peek() - '0'), 1'000'000'000);
    return number;
  }

  void ReadHex(int digits) {
    for (int i = 0; i < digits; i++, at_++) {
      const char c = Peek();
      const bool hex = IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (!hex) Fail("expected " + std::to_string(digits) + " hexadecimal digits");
    }
  }

  // One character, of several bytes or escaped.
  void ReadCharacter() {
    if (Peek() == '\0') Fail("the text ends too early");
    if (Peek() != '\\') {
      at_++;
      while ((static_cast<unsigned char>(Peek()) & 0xC0U) == 0x80U) at_++;
      return;
    }
    const char escaped = Peek(1);
    const std::string plain = "trn\\\"[]-";
    if (escaped != 'x' && escaped != 'u' && escaped != 'U' &&
        (escaped == '\0' || plain.find(escaped) == std::string::npos)) {
      Fail("unknown escape");
    }
    at_ += 2;
    if (escaped == 'x') ReadHex(2);
    if (escaped == 'u') ReadHex(4);
    if (escaped == 'U') ReadHex(8);
  }

  uint64_t ReadLiteral() {
    uint64_t characters = 0;
    for (at_++; Peek() != '"'; characters++) ReadCharacter();
    at_++;
    return characters;
  }

  uint64_t ReadClass() {
    uint64_t elements = 0;
    at_++;
    if (Peek() == '^') at_++;
    for (; Peek() != ']'; elements++) {
      ReadCharacter();
      if (Peek() != '-' || Peek(1) == ']') continue;
      at_++;
      ReadCharacter();
      elements++;
    }
    at_++;
    return elements;
  }

  // <[42]>, <text of a token>, and both with ! before.
  void ReadToken() {
    names_tokens_ = true;
    if (Peek() == '!') at_++;
    if (Peek() != '<') Fail("expected <");
    at_++;
    if (Peek() == '[') {
      at_++;
      ReadNumber();
      if (Peek() != ']' || Peek(1) != '>') Fail("expected ]>");
      at_ += 2;
      return;
    }
    while (Peek() != '\0' && Peek() != '>') at_++;
    if (Peek() != '>') Fail("expected >");
    at_++;
  }

  void ReadRule() {
    const std::string name = ReadName();
    const int32_t rule = RuleId(name);
    SkipSpace(false);
    if (text_.compare(at_, 3, "::=") != 0) Fail("expected ::=");
    at_ += 3;
    SkipSpace(true);
    std::vector<Sequence> alternatives = ReadAlternatives(name, 0);
    rules_[rule].defined = true;
    rules_[rule].alternatives = std::move(alternatives);
    if (Peek() == '\r' || Peek() == '\n') {
      SkipSpace(true);
    } else if (Peek() != '\0') {
      Fail("expected the end of the line");
    }
  }

  std::vector<Sequence> ReadAlternatives(const std::string& name, int depth) {
    if (depth > deepest_nesting) Fail("more than " + std::to_string(deepest_nesting) + " nested parentheses");
    std::vector<Sequence> alternatives = {ReadSequence(name, depth)};
    while (Peek() == '|') {
      at_++;
      SkipSpace(true);
      alternatives.push_back(ReadSequence(name, depth));
    }
    return alternatives;
  }

  Sequence ReadSequence(const std::string& name, int depth) {
    Sequence symbols;
    size_t last = 0;     // where the item begins that a repetition belongs to
    uint64_t rules = 1;  // llama.cpp's measure of what is repeated
    const auto begin_item = [&] {
      last = symbols.size();
      rules = 1;
    };
    const auto add_terminal = [&](uint64_t elements) {
      if (elements > 0) symbols.push_back({-1, elements});
      Count(elements);
      SkipSpace(depth > 0);
    };
    for (char c = Peek(); c != '\0'; c = Peek()) {
      if (c == '"' || c == '[') {
        begin_item();
        add_terminal(c == '"' ? ReadLiteral() : ReadClass());
      } else if (c == '<' || c == '!') {
        ReadToken();
        begin_item();
        add_terminal(1);
      } else if (c == '.') {
        begin_item();
        at_++;
        add_terminal(1);
      } else if (IsWord(c)) {
        const int32_t rule = RuleId(ReadName());
        SkipSpace(depth > 0);
        begin_item();
        symbols.push_back({rule, 1});
        Count(1);
      } else if (c == '(') {
        at_++;
        SkipSpace(true);
        const size_t before = rules_.size();
        const int32_t group = AddRule(name, {});
        std::vector<Sequence> alternatives = ReadAlternatives(name, depth + 1);
        rules_[group].alternatives = std::move(alternatives);
        begin_item();
        rules = std::max<uint64_t>(1, rules_.size() - before);
        symbols.push_back({group, 1});
        Count(1);
        if (Peek() != ')') Fail("expected )");
        at_++;
        SkipSpace(depth > 0);
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        const auto [least, most] = ReadRepetition(depth);
        Repeat(name, symbols, last, rules, least, most);
      } else {
        break;
      }
    }
    return symbols;
  }

  std::pair<uint64_t, uint64_t> ReadRepetition(int depth) {
    const char kind = Peek();
    at_++;
    SkipSpace(depth > 0);
    if (kind == '*') return {0, no_limit};
    if (kind == '+') return {1, no_limit};
    if (kind == '?') return {0, 1};
    const uint64_t least = ReadNumber();
    uint64_t most = least;
    SkipSpace(depth > 0);
    if (Peek() == ',') {
      at_++;
      SkipSpace(depth > 0);
      most = IsDigit(Peek()) ? ReadNumber() : no_limit;
      SkipSpace(depth > 0);
    }
    if (Peek() != '}') Fail("expected }");
    at_++;
    SkipSpace(depth > 0);
    if (least > most_repetitions) Fail("more than " + std::to_string(most_repetitions) + " repetitions");
    if (most < least) Fail("the most repetitions are fewer than the least");
    if (most != no_limit && most > most_repetitions) most = no_limit;  // as llama.cpp does
    return {least, most};
  }

  void Repeat(const std::string& name, Sequence& symbols, size_t last, uint64_t& rules, uint64_t least,
              uint64_t most) {
    if (last == symbols.size()) Fail("there is nothing to repeat");
    const bool endless = most == no_limit;
    const uint64_t total = !endless && most > 0 ? most : std::max<uint64_t>(1, least);
    if (rules * total > most_repetitions) {
      Fail("repetitions inside repetitions come to more than " + std::to_string(most_repetitions));
    }
    const Sequence item(symbols.begin() + static_cast<std::ptrdiff_t>(last), symbols.end());
    const uint64_t elements = ElementsOf(item, 0);
    const uint64_t optional = endless ? 1 : most - least;
    Count(elements * (least + optional) + optional * 3);
    if (least == 0) symbols.resize(last);
    for (uint64_t i = 1; i < least; i++) symbols.insert(symbols.end(), item.begin(), item.end());
    int32_t previous = -1;
    for (uint64_t i = 0; i < optional; i++) {
      const int32_t rule = AddRule(name, {});
      Sequence repeated = item;
      if (endless || i > 0) repeated.push_back({endless ? rule : previous, 1});
      rules_[rule].alternatives = {std::move(repeated), {}};
      previous = rule;
    }
    if (optional > 0) symbols.push_back({previous, 1});
    rules *= total;
  }

  void Count(uint64_t elements) {
    elements_ += elements;
    if (elements_ > most_elements)
      Fail("it is too large: more than " + std::to_string(most_elements) + " elements");
  }

  const std::string& text_;
  size_t at_ = 0;
  std::vector<Rule> rules_;
  std::unordered_map<std::string, int32_t> ids_;
  uint64_t elements_ = 0;
  bool names_tokens_ = false;
};

// Which rules may stand for the empty text.
std::vector<bool> FindEmptyRules(const std::vector<Rule>& rules) {
  struct Use {
    int32_t rule;
    size_t alternative;
  };
  std::vector<std::vector<Use>> uses(rules.size());
  std::vector<std::vector<size_t>> missing(rules.size());  // symbols of an alternative not known to be empty
  std::vector<bool> empty(rules.size());
  std::vector<int32_t> found;
  for (size_t rule = 0; rule < rules.size(); rule++) {
    for (const Sequence& sequence : rules[rule].alternatives) {
      const size_t index = missing[rule].size();
      missing[rule].push_back(sequence.size());
      for (const Symbol& symbol : sequence) {
        if (symbol.rule >= 0) uses[symbol.rule].push_back({static_cast<int32_t>(rule), index});
      }
      if (sequence.empty() && !empty[rule]) {
        empty[rule] = true;
        found.push_back(static_cast<int32_t>(rule));
      }
    }
  }
  while (!found.empty()) {
    const int32_t rule = found.back();
    found.pop_back();
    for (const Use& use : uses[rule]) {
      if (--missing[use.rule][use.alternative] > 0 || empty[use.rule]) continue;
      empty[use.rule] = true;
      found.push_back(use.rule);
    }
  }
  return empty;
}

// Walks the rules that a rule may begin with, and counts in how many ways.
class Beginnings {
 public:
  explicit Beginnings(const std::vector<Rule>& rules)
      : rules_(rules),
        empty_(FindEmptyRules(rules)),
        state_(rules.size(), State::fresh),
        counts_(rules.size()),
        skipped_(rules.size()),
        work_(rules.size()) {}

  void Check() {
    uint64_t work = 0;
    for (size_t rule = 0; rule < rules_.size(); rule++) {
      if (state_[rule] == State::fresh) Visit(static_cast<int32_t>(rule));
      work = std::min(most_work + 1, work + work_[rule]);
    }
    if (work > most_work) Refuse("rules can begin with each other in too many ways");
  }

 private:
  enum class State { fresh, open, done };
  struct First {
    int32_t rule;
    bool skips;  // what stands before it is empty then
  };
  struct Frame {
    int32_t rule;
    std::vector<First> next;
    size_t at = 0;
  };

  [[noreturn]] static void Refuse(const std::string& reason) {
    throw Failure("INVALID_GRAMMAR", "The grammar cannot be used: " + reason + ".");
  }

  // The rules it may begin with. A repetition that ends in itself behind parts that may be empty goes round
  // without growing, and llama.cpp notices that.
  std::vector<First> FirstRules(int32_t rule) const {
    std::vector<First> first;
    for (const Sequence& sequence : rules_[rule].alternatives) {
      for (size_t i = 0; i < sequence.size() && sequence[i].rule >= 0; i++) {
        const bool goes_round = sequence[i].rule == rule && i > 0 && i + 1 == sequence.size();
        if (!goes_round) first.push_back({sequence[i].rule, i > 0});
        if (!empty_[sequence[i].rule]) break;
      }
    }
    return first;
  }

  // Without recursion: chains of rules may be long.
  void Visit(int32_t start) {
    std::vector<Frame> frames;
    const auto open = [&](int32_t rule) {
      state_[rule] = State::open;
      frames.push_back({rule, FirstRules(rule)});
    };
    open(start);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.at < frame.next.size()) {
        const int32_t next = frame.next[frame.at++].rule;
        if (state_[next] == State::open) {
          Refuse("the rule " + rules_[next].name + " begins with itself (left recursion)");
        }
        if (state_[next] == State::fresh) open(next);
        continue;
      }
      Finish(frame);
      frames.pop_back();
    }
  }

  void Finish(const Frame& frame) {
    uint64_t count = rules_[frame.rule].alternatives.size();
    uint64_t work = 1;
    for (const Sequence& sequence : rules_[frame.rule].alternatives) work += ElementsOf(sequence, 0);
    uint64_t skipped = 0;
    for (const auto& [next, skips] : frame.next) {
      count = std::min(most_beginnings + 1, count + counts_[next]);
      skipped = std::min(most_skipped + 1, skipped + (skips ? counts_[next] : skipped_[next]));
      work = std::min(most_work + 1, work + work_[next]);
    }
    if (count > most_beginnings) {
      Refuse("the rule " + rules_[frame.rule].name + " can begin in more than " +
             std::to_string(most_beginnings) + " ways");
    }
    if (skipped > most_skipped) {
      Refuse("the rule " + rules_[frame.rule].name + " can begin in more than " +
             std::to_string(most_skipped) + " ways behind parts that may be empty");
    }
    counts_[frame.rule] = count;
    skipped_[frame.rule] = skipped;
    work_[frame.rule] = work;
    state_[frame.rule] = State::done;
  }

  const std::vector<Rule>& rules_;
  const std::vector<bool> empty_;
  std::vector<State> state_;
  std::vector<uint64_t> counts_;
  std::vector<uint64_t> skipped_;
  std::vector<uint64_t> work_;
};

}  // namespace

GrammarTraits CheckGrammar(const std::string& text) {
  if (text.size() > longest_text) {
    throw Failure("INVALID_GRAMMAR", "Expected a grammar of at most " + std::to_string(longest_text) +
                                         " bytes; received " + std::to_string(text.size()) + ".");
  }
  if (text.find('\0') != std::string::npos) {
    throw Failure("INVALID_GRAMMAR", "Expected a grammar without NUL characters; write \\x00 instead.");
  }
  if (text.compare(0, 11, "%llguidance") == 0) {
    throw Failure("INVALID_GRAMMAR", "Expected a grammar in GBNF; this build has no llguidance.");
  }
  Reader reader(text);
  const std::vector<Rule> rules = reader.Read();
  Beginnings(rules).Check();
  return {reader.names_tokens()};
}
