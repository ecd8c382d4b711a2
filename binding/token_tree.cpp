#include "token_tree.h"

#include <algorithm>
#include <numeric>

namespace {

bool ContinuesCharacter(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

bool EndsWithWholeCharacter(const std::string& text) {
  size_t last = text.size() - 1;
  while (last > 0 && ContinuesCharacter(text[last])) last--;
  const auto lead = static_cast<unsigned char>(text[last]);
  const size_t length = lead < 0x80U ? 1 : lead < 0xE0U ? 2 : lead < 0xF0U ? 3 : 4;
  return text.size() - last == length;
}

// Only where whole characters are left on both sides: a grammar judges a part of a character by what it may
// become.
bool IsParent(const std::string& parent, const std::string& child) {
  if (ContinuesCharacter(parent.front()) || !EndsWithWholeCharacter(parent) ||
      child.compare(0, parent.size(), parent) != 0)
    return false;
  return child.size() == parent.size() || !ContinuesCharacter(child[parent.size()]);
}

}  // namespace

TokenTree::TokenTree(const std::vector<std::string>& pieces) : starts_(pieces.size() + 2) {
  std::vector<llama_token> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  order.erase(
      std::remove_if(order.begin(), order.end(), [&](llama_token token) { return pieces[token].empty(); }),
      order.end());
  std::sort(order.begin(), order.end(), [&](llama_token a, llama_token b) {
    const int difference = pieces[a].compare(pieces[b]);
    return difference != 0 ? difference < 0 : a < b;
  });

  std::vector<llama_token> parents(pieces.size(), -1);
  std::vector<llama_token> open;  // each one the beginning of the next
  for (const llama_token token : order) {
    const std::string& piece = pieces[token];
    while (!open.empty() && piece.compare(0, pieces[open.back()].size(), pieces[open.back()]) != 0)
      open.pop_back();
    const auto parent = std::find_if(open.rbegin(), open.rend(), [&](llama_token candidate) {
      return IsParent(pieces[candidate], piece);
    });
    if (parent == open.rend()) {
      roots_.push_back(token);
    } else {
      parents[token] = *parent;
      starts_[*parent + 2]++;
    }
    open.push_back(token);
  }

  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
  children_.resize(starts_.back());
  for (const llama_token token : order) {
    if (parents[token] >= 0) children_[starts_[parents[token] + 1]++] = token;
  }
}
