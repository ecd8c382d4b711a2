// Included before the sources of llama.cpp's template engine, which have no limits: makes them spend a budget with each
// step, each value they make and each text they copy. The places are those where the engine can say what it does
// (JJ_DEBUG), makes values (mk_val) and lets something grow (push_back). Every header that those sources include comes
// first, so that the names are replaced in their own text only.
#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../binding/work_budget.h"
#include "jinja/lexer.h"
#include "jinja/runtime.h"
#include "jinja/string.h"
#include "jinja/utils.h"
#include "jinja/value.h"
#include "json.h"
#include "unicode.h"

namespace jinja {

// About what a value takes with the pointer to it.
constexpr size_t bytes_of_a_value = 128;

inline size_t text_bytes(const std::string& text) { return text.size(); }
inline size_t text_bytes(const string& text) { return text.length(); }
template <typename Other>
size_t text_bytes(const Other&) {
  return 0;
}

template <typename T, typename... Arguments>
auto mk_val_in_budget(Arguments&&... arguments) {
  WorkBudget::Spend((bytes_of_a_value + ... + text_bytes(arguments)));
  return mk_val<T>(std::forward<Arguments>(arguments)...);
}

template <typename T, typename Value>
bool is_val_in_budget(const Value& value) {
  WorkBudget::Spend(0);
  return is_val<T>(value);
}

template <typename Element>
Element&& in_budget(Element&& element) {
  WorkBudget::Spend(sizeof(std::decay_t<Element>));
  return std::forward<Element>(element);
}
inline string_part in_budget(string_part part) {
  WorkBudget::Spend(sizeof(string_part) + part.val.size());
  return part;
}

}  // namespace jinja

#undef JJ_DEBUG
#define JJ_DEBUG(...) WorkBudget::Spend(0)
#define mk_val mk_val_in_budget
#ifdef LLAMA_NATIVE_BUDGET_OF_VALUES
// It defines a push_back of its own. What recurses there asks for types at each level, and a replacement that makes a
// long text longer moves the rest of it each time.
#define is_val is_val_in_budget
#define replace(...) replace(__VA_ARGS__), WorkBudget::Spend(0)
#else
#define push_back(...) push_back(in_budget(__VA_ARGS__))
#endif
