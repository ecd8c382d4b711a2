#include "logits_scan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "vector_math.h"

namespace {

constexpr int32_t lanes = 16;
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

// The sum of exp(value - largest).
WIDE_VECTORS float SumOfExp(const float* values, int32_t count, float largest) {
  float lane[lanes] = {};
  int32_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int32_t j = 0; j < lanes; j++) lane[j] += ExpOfNegative(values[i + j] - largest);
  }
  float sum = 0;
  for (; i < count; i++) sum += ExpOfNegative(values[i] - largest);
  for (const float part : lane) sum += part;
  return sum;
}

}  // namespace

// NaN never wins a comparison, so it is passed over.
WIDE_VECTORS float LargestValue(const float* values, int32_t count) {
  float lane[lanes];
  std::fill(lane, lane + lanes, minus_infinity);
  int32_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int32_t j = 0; j < lanes; j++) lane[j] = values[i + j] > lane[j] ? values[i + j] : lane[j];
  }
  float largest = *std::max_element(lane, lane + lanes);
  for (; i < count; i++) largest = std::max(largest, values[i]);
  return largest;
}

int32_t IndexOfLargest(const float* values, int32_t count, const std::vector<int32_t>& skipped) {
  // The block that holds the maximum is remembered, so the values are read from memory once.
  constexpr int32_t block = 4096;
  float best = minus_infinity;
  int32_t best_block = 0;
  for (int32_t begin = 0; begin < count; begin += block) {
    const float largest = LargestValue(values + begin, std::min(block, count - begin));
    if (largest > best) {
      best = largest;
      best_block = begin;
    }
  }
  const float* first = values + best_block;
  const float* last = values + std::min(best_block + block, count);
  const float* found = std::find(first, last, best);
  const auto index = static_cast<int32_t>((found == last ? first : found) - values);
  if (!std::binary_search(skipped.begin(), skipped.end(), index)) return index;

  // The rare case: the winner is skipped, so look at every value.
  int32_t winner = -1;
  for (int32_t i = 0; i < count; i++) {
    if (winner >= 0 && !(values[i] > values[winner])) continue;
    if (!std::binary_search(skipped.begin(), skipped.end(), i)) winner = i;
  }
  return std::max(winner, 0);
}

bool CollectLargest(const float* values, int32_t count, int32_t k, std::vector<float>& scratch,
                    std::vector<llama_token_data>& candidates) {
  // At least k values are not below the k-th largest of the blocks' maxima. So only blocks that reach it are
  // read a second time, and there are about k of them.
  constexpr int32_t block = 128;
  const int32_t blocks = (count + block - 1) / block;
  if (k < 1 || blocks < k) return false;
  scratch.resize(static_cast<size_t>(blocks) * 2);
  float* maxima = scratch.data();
  float* sorted = maxima + blocks;
  for (int32_t i = 0; i < blocks; i++) {
    maxima[i] = LargestValue(values + i * block, std::min(block, count - i * block));
  }
  std::copy(maxima, maxima + blocks, sorted);
  std::nth_element(sorted, sorted + k - 1, sorted + blocks, std::greater<>());
  const float threshold = sorted[k - 1];
  if (!(threshold > minus_infinity)) return false;

  candidates.clear();
  for (int32_t i = 0; i < blocks; i++) {
    if (maxima[i] < threshold) continue;
    const int32_t end = std::min((i + 1) * block, count);
    for (int32_t j = i * block; j < end; j++) {
      if (values[j] >= threshold) candidates.push_back({j, values[j], 0.0F});
    }
  }
  const auto descending = [](const llama_token_data& a, const llama_token_data& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  std::partial_sort(candidates.begin(), candidates.begin() + k, candidates.end(), descending);
  candidates.resize(k);
  return true;
}

WIDE_VECTORS bool HasNaN(const float* values, int32_t count) {
  int32_t lane[lanes] = {};
  int32_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int32_t j = 0; j < lanes; j++) lane[j] |= static_cast<int32_t>(values[i + j] != values[i + j]);
  }
  bool found = std::any_of(lane, lane + lanes, [](int32_t value) { return value != 0; });
  for (; i < count; i++) found = found || std::isnan(values[i]);
  return found;
}

double LogSumExp(const float* values, int32_t count) {
  constexpr int32_t block = 4096;  // so few additions in single precision lose nothing that matters
  const float largest = LargestValue(values, count);
  double sum = 0;
  for (int32_t begin = 0; begin < count; begin += block) {
    sum += SumOfExp(values + begin, std::min(block, count - begin), largest);
  }
  return largest + std::log(sum);
}
