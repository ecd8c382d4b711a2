#include "log_probabilities.h"

#include <algorithm>

#include "errors.h"
#include "logits_scan.h"

namespace {

// In a vocabulary too small for blocks, or with few tokens that are possible at all.
void SortAll(const float* logits, int32_t count, int32_t k, std::vector<llama_token_data>& candidates) {
  candidates.clear();
  for (llama_token token = 0; token < count; token++) candidates.push_back({token, logits[token], 0.0F});
  const auto kept = candidates.begin() + std::min(k, count);
  std::partial_sort(candidates.begin(), kept, candidates.end(),
                    [](const auto& a, const auto& b) { return a.logit > b.logit; });
  candidates.erase(kept, candidates.end());
}

}  // namespace

TokenLogProbabilities ReadLogProbabilities(const Model& model, const float* logits, llama_token token,
                                           int32_t top_count) {
  const double normalizer = LogSumExp(logits, model.vocabulary_size);
  const auto entry = [&](llama_token id) {
    return TokenLogProbability{id, logits[id] - normalizer, model.Piece(id, true)};
  };
  TokenLogProbabilities result{entry(token), {}};
  if (top_count == 0) return result;
  std::vector<llama_token_data> largest;
  std::vector<float> scratch;
  if (!CollectLargest(logits, model.vocabulary_size, top_count, scratch, largest)) {
    SortAll(logits, model.vocabulary_size, top_count, largest);
  }
  for (const llama_token_data& candidate : largest) result.top.push_back(entry(candidate.id));
  return result;
}
