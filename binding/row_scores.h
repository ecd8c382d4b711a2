// How well a row of logits predicts the token that really came, and how far it is from the row of another
// model.
#pragma once

#include <cstddef>
#include <cstdint>

#include "llama.h"

// −log of the probability of a token.
double NegativeLogLikelihood(const float* logits, int32_t count, llama_token token);

// Log-probabilities of a vocabulary in 16 bits each, as llama-perplexity writes them with
// --save-all-logits: two floats, the size of a step and the smallest value, and then steps from it. Values
// more than 16 below the largest are not told apart.
constexpr size_t packed_header = 2 * sizeof(float) / sizeof(uint16_t);
// Numbers of 16 bits in a row; even, so that rows are aligned for the floats.
constexpr size_t PackedLength(int32_t vocabulary_size) {
  return packed_header + (static_cast<size_t>(vocabulary_size) + 1) / 2 * 2;
}
void PackLogProbabilities(const float* logits, int32_t count, uint16_t* packed);

struct ReferenceScore {
  double negative_log_likelihood = 0;  // by the reference
  double divergence = 0;               // Kullback-Leibler, of the reference from the logits, in nats
  bool same_top = false;               // both find the same token the most probable one
};

// `packed` may lie at any address.
ReferenceScore CompareWithReference(const float* logits, int32_t count, llama_token token,
                                    const uint8_t* packed);
