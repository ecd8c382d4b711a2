// Choosing the next token: llama.cpp's sampler chain, on the whole vocabulary only where that is needed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "handle.h"
#include "model.h"
#include "node_api.h"
#include "sampling.h"
#include "sampling_config.h"

class Sampler {
 public:
  // Throws INVALID_TOKEN for a bias of a token outside the vocabulary.
  Sampler(std::shared_ptr<Model> owner, const SamplingConfig& config);

  // Chooses from the logits at `index` of the last batch. The row must have output.
  llama_token Sample(llama_context* context, int32_t index);
  // Tells the sampler what was chosen, or which tokens the prompt ends with.
  void Accept(llama_token token, bool generated);

  const std::shared_ptr<Model> model;
  std::mutex mutex;  // for callers that share a sampler between threads

 private:
  class AdjustedRow;

  void CollectBiases(const SamplingConfig& config);
  void CreateChain(const SamplingConfig& config, bool greedy);
  bool IsForbidden(llama_token token) const;
  bool CollectCandidates(float* logits);
  llama_token SampleCandidates();
  llama_token SampleVocabulary(llama_context* context, int32_t index, const float* logits);

  bool greedy_ = false;             // the largest logit that is not forbidden, with no chain
  bool few_candidates_ = false;     // the chain behind top-k sees only what top-k keeps
  int32_t top_k_ = 0;               // if few_candidates_
  common_sampler_ptr chain_;        // empty if greedy_
  int32_t penalties_position_ = 0;  // in the chain: what adjusts logits of single tokens begins here,
  int32_t top_k_position_ = 0;      // and ends here
  std::vector<llama_logit_bias> biases_;
  std::vector<llama_token> forbidden_;  // ascending
  size_t remembered_ = 0;               // how many tokens penalties look back at
  std::deque<llama_token> recent_;
  std::unordered_map<llama_token, int32_t> recent_counts_;

  // Kept from token to token, so that none is allocated for each.
  std::vector<float> scratch_;
  std::vector<llama_token_data> penalized_;
  std::vector<llama_token_data> candidates_;
};

template <>
struct HandleKind<Sampler> {
  static constexpr const char* name = "sampler";
  static constexpr napi_type_tag tag = {0x6c6c616d612d6e61, 0x746976652d736d70};
  // Its last reference may free the model, which takes a while.
  static void Dispose(Napi::Env env, std::shared_ptr<Sampler> sampler) {
    ReleaseLater(env, std::move(sampler));
  }
};

Napi::Value CreateSampler(const Napi::CallbackInfo& info);  // (model, config) => sampler
Napi::Value CloseSampler(const Napi::CallbackInfo& info);  // (sampler) => void; it holds its model until then
