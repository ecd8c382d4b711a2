// Choosing the next token: a checked configuration, llama.cpp's sampler chain, and a short cut where the
// answer is just the most probable token.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "handle.h"
#include "model.h"
#include "node_api.h"
#include "sampling.h"

struct SamplingConfig {
  float temperature = 0.8f;
  int32_t top_k = 40;
  float top_p = 0.95f;
  float min_p = 0.05f;
  float repeat_penalty = 1.0f;
  int32_t repeat_last_tokens = 64;
  float frequency_penalty = 0.0f;
  float presence_penalty = 0.0f;
  uint32_t seed = 0;
  bool ignore_end_of_sequence = false;

  bool HasPenalties() const {
    return repeat_last_tokens != 0 &&
           (repeat_penalty != 1.0f || frequency_penalty != 0.0f || presence_penalty != 0.0f);
  }
};

SamplingConfig ReadSamplingConfig(const Napi::Object& options);

class Sampler {
 public:
  Sampler(std::shared_ptr<Model> owner, const SamplingConfig& config);

  // Chooses from the logits at `index` of the last batch. The row must have output.
  llama_token Sample(llama_context* context, int32_t index);
  // Tells the sampler what was chosen, or which tokens the prompt ends with.
  void Accept(llama_token token, bool generated);

  const std::shared_ptr<Model> model;
  std::mutex mutex;  // for callers that share a sampler between threads

 private:
  bool greedy_;
  common_sampler_ptr chain_;             // empty if greedy
  std::vector<llama_token> suppressed_;  // ascending; greedy only
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

// The index of the largest value, the first one if several are equal; those in `skipped` (ascending) do not
// count.
int32_t IndexOfLargest(const float* values, int32_t count, const std::vector<int32_t>& skipped);

Napi::Value CreateSampler(const Napi::CallbackInfo& info);  // (model, config) => sampler
Napi::Value CloseSampler(const Napi::CallbackInfo& info);  // (sampler) => void; it holds its model until then
