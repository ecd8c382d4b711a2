// What the model itself thought of a token: its probability before any sampling option, and those of others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llama.h"
#include "model.h"

struct TokenLogProbability {
  llama_token token;
  double value;      // natural logarithm
  std::string text;  // its bytes, which may be a part of a character
};

struct TokenLogProbabilities {
  TokenLogProbability chosen;
  std::vector<TokenLogProbability> top;  // descending
};

// From a row of logits: the log-probability of `token`, and the `top_count` largest ones.
TokenLogProbabilities ReadLogProbabilities(const Model& model, const float* logits, llama_token token,
                                           int32_t top_count);
