// Choosing the next token: llama.cpp's sampler chain, on the whole vocabulary only where that is needed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "grammar.h"
#include "handle.h"
#include "model.h"
#include "node_api.h"
#include "probability_cut.h"
#include "reasoning.h"
#include "sampling.h"
#include "sampling_config.h"

class Sampler {
 public:
  // Throws INVALID_TOKEN for a bias of a token outside the vocabulary, INVALID_GRAMMAR, INVALID_SCHEMA.
  Sampler(std::shared_ptr<Model> owner, const SamplingConfig& config);
  // One that has seen a prompt.
  static std::unique_ptr<Sampler> ForPrompt(const std::shared_ptr<Model>& model, const SamplingConfig& config,
                                            const std::vector<llama_token>& prompt);

  // Chooses from a row of logits, one for each token of the vocabulary. The row is changed meanwhile and put
  // back. Two threads may sample with two samplers at once.
  llama_token Sample(float* logits);
  // Tells the sampler what was chosen, or which tokens the prompt ends with.
  void Accept(llama_token token, bool generated);

  const std::shared_ptr<Model> model;
  std::mutex mutex;  // for callers that share a sampler between threads

 private:
  class AdjustedRow;

  void CollectBiases(const SamplingConfig& config);
  void CreateChain(const SamplingConfig& config, bool greedy);
  bool IsForbidden(llama_token token) const;
  void PlanShortCut(const common_params_sampling& params, const SamplingConfig& config, bool greedy);
  void AdjustRow(AdjustedRow& row, const float* logits);
  bool CollectCandidates(float* logits);
  llama_token SampleCandidates(int32_t first_step, bool sorted);
  llama_token SampleVocabulary(const float* logits);
  llama_token Choose(float* logits);
  llama_token ChooseAllowed(float* logits);
  void CreateGrammar(const SamplingConfig& config);
  bool GrammarHolds() const;
  void AcceptGenerated(llama_token token);

  // Which tokens the rest of the chain has to see: all, or those that its first selecting step keeps.
  enum class ShortCut { none, top_k, top_p, min_p };

  bool greedy_ = false;  // the largest logit that is not forbidden, with no chain
  ShortCut short_cut_ = ShortCut::none;
  int32_t top_k_ = 0;  // of the short cuts
  float top_p_ = 0;
  float min_p_ = 0;
  size_t min_keep_ = 0;
  common_sampler_ptr chain_;          // empty if greedy_
  int32_t penalties_position_ = 0;    // in the chain: what adjusts logits of single tokens begins here,
  int32_t top_k_position_ = 0;        // and ends here
  int32_t next_position_ = 0;         // in the chain: what sees the candidates of the short cut
  std::unique_ptr<Grammar> grammar_;  // empty if the text is free
  bool grammar_waits_ = false;        // for the end of reasoning
  std::unique_ptr<Reasoning> reasoning_;
  bool exact_ = false;  // no short cuts
  std::vector<llama_logit_bias> biases_;
  std::vector<llama_token> forbidden_;  // ascending
  size_t remembered_ = 0;               // how many tokens penalties look back at
  std::deque<llama_token> recent_;
  std::unordered_map<llama_token, int32_t> recent_counts_;

  // Kept from token to token, so that none is allocated for each.
  std::vector<float> scratch_;
  std::vector<llama_token_data> penalized_;
  std::vector<llama_token_data> candidates_;
  CutBuffers cut_buffers_;
  std::vector<float> allowed_;
};

// The logits at `index` of the context's last batch. Throws NO_LOGITS where it was evaluated without output.
float* LogitsAt(llama_context* context, int32_t index);

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
