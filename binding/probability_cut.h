// Top-p and min-p over a whole vocabulary without sorting it. Both keep exactly what llama.cpp's steps keep,
// rounding included; only tokens with equal logits are ordered by their id here.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "llama.h"

// Buffers kept from token to token, so that none is allocated for each.
struct CutBuffers {
  std::vector<std::pair<uint32_t, llama_token>> keys;
  std::vector<std::pair<uint32_t, llama_token>> sorted;
};

// Fills `candidates`, descending, with the most probable tokens that together reach `p`, but at least
// `min_keep`. The row must hold a number above negative infinity and no NaN.
void KeepTopP(const float* logits, int32_t count, float p, size_t min_keep, CutBuffers& buffers,
              std::vector<llama_token_data>& candidates);

// Fills `candidates`, in the order of their ids, with the tokens at least `p` times as probable as the best
// one.
void KeepMinP(const float* logits, int32_t count, float p, std::vector<llama_token_data>& candidates);
