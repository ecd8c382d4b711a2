#include "row_scores.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "logits_scan.h"
#include "vector_math.h"

namespace {

constexpr int32_t lanes = 16;
// Log-probabilities that count: smaller ones were packed as the same.
constexpr float range = 16;

uint16_t ReadPacked(const uint8_t* values, int32_t index) {
  uint16_t value;
  std::memcpy(&value, values + static_cast<size_t>(index) * sizeof(value), sizeof(value));
  return value;
}

WIDE_VECTORS void Pack(const float* logits, int32_t count, float least, float steps, uint16_t* packed) {
  for (int32_t i = 0; i < count; i++) {
    const float above = logits[i] > least ? logits[i] - least : 0;
    packed[i] = static_cast<uint16_t>(above * steps + 0.5F);
  }
}

// The sum of p × (log p − log q) over a part of the vocabulary, q being the logits less `normalizer`.
inline float DivergenceTerm(float logit, uint16_t packed, float step, float least, float normalizer) {
  const float log_p = step * static_cast<float>(packed) + least;
  const float p = ExpOfNegative(log_p < 0 ? log_p : 0);
  const float term = p * (log_p - logit + normalizer);
  return log_p > -range ? term : 0;
}

WIDE_VECTORS float Divergence(const float* logits, const uint16_t* packed, int32_t count, float step,
                              float least, float normalizer) {
  float lane[lanes] = {};
  int32_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int32_t j = 0; j < lanes; j++) {
      lane[j] += DivergenceTerm(logits[i + j], packed[i + j], step, least, normalizer);
    }
  }
  float sum = 0;
  for (; i < count; i++) sum += DivergenceTerm(logits[i], packed[i], step, least, normalizer);
  for (const float part : lane) sum += part;
  return sum;
}

}  // namespace

double NegativeLogLikelihood(const float* logits, int32_t count, llama_token token) {
  return LogSumExp(logits, count) - logits[token];
}

void PackLogProbabilities(const float* logits, int32_t count, uint16_t* packed) {
  const float largest = LargestValue(logits, count);
  const float least = std::max(*std::min_element(logits, logits + count), largest - range);
  const float step = (largest - least) / 65535.0F;
  const auto least_log_probability = static_cast<float>(least - LogSumExp(logits, count));
  std::memcpy(packed, &step, sizeof(step));
  std::memcpy(packed + packed_header / 2, &least_log_probability, sizeof(least_log_probability));
  packed += packed_header;
  std::fill(packed, packed + (count + 1) / 2 * 2, uint16_t{0});
  if (step > 0) Pack(logits, count, least, 1 / step, packed);
}

ReferenceScore CompareWithReference(const float* logits, int32_t count, llama_token token,
                                    const uint8_t* packed) {
  float step;
  float least;
  std::memcpy(&step, packed, sizeof(step));
  std::memcpy(&least, packed + sizeof(step), sizeof(least));
  const uint8_t* values = packed + packed_header * sizeof(uint16_t);
  const auto normalizer = static_cast<float>(LogSumExp(logits, count));

  constexpr int32_t block = 4096;  // so few additions in single precision lose nothing that matters
  uint16_t aligned[block];
  ReferenceScore score;
  int32_t largest = -1;
  int32_t top = 0;
  for (int32_t begin = 0; begin < count; begin += block) {
    const int32_t length = std::min(block, count - begin);
    std::memcpy(aligned, values + static_cast<size_t>(begin) * sizeof(uint16_t), length * sizeof(uint16_t));
    score.divergence += Divergence(logits + begin, aligned, length, step, least, normalizer);
    const uint16_t* found = std::max_element(aligned, aligned + length);
    if (*found <= largest) continue;
    largest = *found;
    top = begin + static_cast<int32_t>(found - aligned);
  }
  score.negative_log_likelihood = -(double{step} * ReadPacked(values, token) + least);
  score.same_top = IndexOfLargest(logits, count, {}) == top;
  return score;
}
