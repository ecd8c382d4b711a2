// Reading a row of logits once. A vocabulary has 50 000 to 250 000 entries, so these loops are written for
// vector instructions: independent lanes, no branches inside.
#pragma once

#include <cstdint>
#include <vector>

#include "llama.h"

// NaN never counts; negative infinity if nothing else is there.
float LargestValue(const float* values, int32_t count);

// The index of the largest value, the first one if several are equal; those in `skipped` (ascending) do not
// count.
int32_t IndexOfLargest(const float* values, int32_t count, const std::vector<int32_t>& skipped);

// Fills `candidates` with the `k` largest values, descending, equal ones by their index. False if they cannot
// be told apart from the rest: fewer than `k` blocks of the row hold a value above negative infinity.
// `scratch` is reused from call to call.
bool CollectLargest(const float* values, int32_t count, int32_t k, std::vector<float>& scratch,
                    std::vector<llama_token_data>& candidates);

bool HasNaN(const float* values, int32_t count);

// log(sum(exp(values))): subtracted from a logit, it gives the logarithm of that token's probability.
double LogSumExp(const float* values, int32_t count);
