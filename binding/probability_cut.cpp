#include "probability_cut.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "logits_scan.h"

namespace {

constexpr int32_t block = 64;
using Keys = std::vector<std::pair<uint32_t, llama_token>>;

// llama.cpp adds the exponentials in single precision, one after the other, and a token at the edge is in or
// out by how that rounds. So they are added in the same way here, except where adding provably changes
// nothing: a number below 2^-25 of the sum is less than half of its last digit.
float SumAsLlama(const float* logits, int32_t count, float largest) {
  constexpr float digits = 17.34F;  // 25 ln 2, and a little for the rounding of the logarithm
  float sum = 0;
  for (int32_t begin = 0; begin < count; begin += block) {
    const int32_t end = std::min(begin + block, count);
    if (sum > 0 && LargestValue(logits + begin, end - begin) - largest < std::log(sum) - digits) continue;
    for (int32_t i = begin; i < end; i++) sum += std::exp(logits[i] - largest);
  }
  return sum;
}

// Smaller for larger numbers.
uint32_t DescendingKey(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return (bits & 0x80000000U) != 0 ? bits : ~bits & 0x7FFFFFFFU;
}

// By key; equal ones keep their order. Many are sorted by counting their digits, three times eleven bits.
void SortByKey(Keys& keys, Keys& other) {
  if (keys.size() < 2048) {
    std::sort(keys.begin(), keys.end());
    return;
  }
  constexpr uint32_t digit_count = 1 << 11;
  other.resize(keys.size());
  for (int shift = 0; shift < 33; shift += 11) {
    size_t starts[digit_count] = {};
    for (const auto& entry : keys) starts[(entry.first >> shift) & (digit_count - 1)]++;
    size_t start = 0;
    for (size_t& entry : starts) start += std::exchange(entry, start);
    for (const auto& entry : keys) other[starts[(entry.first >> shift) & (digit_count - 1)]++] = entry;
    keys.swap(other);
  }
}

// The tokens whose logit is not below `limit`; returns the sum of their exponentials.
double CollectAbove(const float* logits, int32_t count, float limit, float largest, Keys& keys) {
  keys.clear();
  double mass = 0;
  for (int32_t begin = 0; begin < count; begin += block) {
    const int32_t end = std::min(begin + block, count);
    if (LargestValue(logits + begin, end - begin) < limit) continue;
    for (int32_t i = begin; i < end; i++) {
      if (!(logits[i] >= limit)) continue;
      keys.emplace_back(DescendingKey(logits[i]), i);
      mass += std::exp(logits[i] - largest);
    }
  }
  return mass;
}

}  // namespace

void KeepTopP(const float* logits, int32_t count, float p, size_t min_keep, CutBuffers& buffers,
              std::vector<llama_token_data>& candidates) {
  constexpr double margin = 1e-2;  // more than single precision loses on the way to `p`
  constexpr float all = std::numeric_limits<float>::infinity();
  const float largest = LargestValue(logits, count);
  const float sum = SumAsLlama(logits, count, largest);
  for (float depth = 8;; depth = depth < 64 ? depth * 2 : all) {
    const double mass = CollectAbove(logits, count, largest - depth, largest, buffers.keys);
    const bool enough = mass >= (p + margin) * sum && buffers.keys.size() >= min_keep;
    if (!enough && depth < all) continue;
    SortByKey(buffers.keys, buffers.sorted);
    candidates.clear();
    float reached = 0;
    for (const auto& [key, token] : buffers.keys) {
      const float probability = std::exp(logits[token] - largest) / sum;
      candidates.push_back({token, logits[token], probability});
      reached += probability;
      if (reached >= p && candidates.size() >= min_keep) return;
    }
    if (depth == all) return;
  }
}

void KeepMinP(const float* logits, int32_t count, float p, std::vector<llama_token_data>& candidates) {
  const float limit = LargestValue(logits, count) + std::log(p);
  candidates.clear();
  for (int32_t begin = 0; begin < count; begin += block) {
    const int32_t end = std::min(begin + block, count);
    if (LargestValue(logits + begin, end - begin) < limit) continue;
    for (int32_t i = begin; i < end; i++) {
      if (logits[i] >= limit) candidates.push_back({i, logits[i], 0.0F});
    }
  }
}
