#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "arguments.h"

SamplingConfig ReadSamplingConfig(const Napi::Object& options) {
  constexpr auto int_max = std::numeric_limits<int32_t>::max();
  SamplingConfig config;
  config.temperature = ReadFloat(options, "temperature", config.temperature, 0, 100);
  if (config.temperature < 1e-6F)
    config.temperature = 0;  // dividing by it would overflow; it is greedy all the same
  config.top_k = ReadInteger(options, "topK", config.top_k, 0, int_max);
  config.top_p = ReadFloat(options, "topP", config.top_p, 0, 1);
  config.min_p = ReadFloat(options, "minP", config.min_p, 0, 1);
  config.repeat_penalty = ReadFloat(options, "repeatPenalty", config.repeat_penalty, 1e-3, 100);
  config.repeat_last_tokens = ReadInteger(options, "repeatLastTokens", config.repeat_last_tokens, 0, 1 << 20);
  config.frequency_penalty = ReadFloat(options, "frequencyPenalty", config.frequency_penalty, -100, 100);
  config.presence_penalty = ReadFloat(options, "presencePenalty", config.presence_penalty, -100, 100);
  const Napi::Value seed = options.Get("seed");
  if (seed.IsNumber()) config.seed = seed.As<Napi::Number>().Uint32Value();
  if (config.seed == LLAMA_DEFAULT_SEED) config.seed--;  // that one means "a random one" to llama.cpp
  config.ignore_end_of_sequence = ReadBool(options.Get("ignoreEndOfSequence"), false);
  return config;
}

int32_t IndexOfLargest(const float* values, int32_t count, const std::vector<int32_t>& skipped) {
  // Independent lanes let the compiler use vector instructions; the block that holds the maximum is
  // remembered, so the values are read from memory once.
  constexpr int32_t lanes = 16;
  constexpr int32_t block = 4096;
  float best = -std::numeric_limits<float>::infinity();
  int32_t best_block = 0;
  for (int32_t begin = 0; begin < count; begin += block) {
    const int32_t end = std::min(begin + block, count);
    float lane[lanes];
    std::fill(lane, lane + lanes, -std::numeric_limits<float>::infinity());
    int32_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      for (int32_t j = 0; j < lanes; j++) lane[j] = values[i + j] > lane[j] ? values[i + j] : lane[j];
    }
    float largest = *std::max_element(lane, lane + lanes);
    for (; i < end; i++) largest = std::max(largest, values[i]);
    if (largest > best) {
      best = largest;
      best_block = begin;
    }
  }
  const float* first = values + best_block;
  const float* last = values + std::min(best_block + block, count);
  const float* found = std::find(first, last, best);
  const auto index = static_cast<int32_t>((found == last ? first : found) - values);
  if (!std::binary_search(skipped.begin(), skipped.end(), index)) return index;

  // The rare case: the winner is skipped, so look at every value.
  int32_t winner = -1;
  for (int32_t i = 0; i < count; i++) {
    if (winner >= 0 && !(values[i] > values[winner])) continue;
    if (!std::binary_search(skipped.begin(), skipped.end(), i)) winner = i;
  }
  return std::max(winner, 0);
}

namespace {

std::vector<llama_token> EndOfGenerationTokens(const Model& model) {
  std::vector<llama_token> tokens;
  for (llama_token token = 0; token < model.vocabulary_size; token++) {
    if (llama_vocab_is_eog(model.vocabulary, token)) tokens.push_back(token);
  }
  return tokens;
}

}  // namespace

Sampler::Sampler(std::shared_ptr<Model> owner, const SamplingConfig& config) : model(std::move(owner)) {
  int32_t suppressed_count = 0;
  const llama_token* suppressed = llama_vocab_get_suppress_tokens(model->vocabulary, &suppressed_count);

  greedy_ = config.temperature <= 0 && !config.HasPenalties();
  if (greedy_) {
    suppressed_.assign(suppressed, suppressed + suppressed_count);
    if (config.ignore_end_of_sequence) {
      const std::vector<llama_token> ends = EndOfGenerationTokens(*model);
      suppressed_.insert(suppressed_.end(), ends.begin(), ends.end());
    }
    std::sort(suppressed_.begin(), suppressed_.end());
    return;
  }

  common_params_sampling params;
  params.temp = config.temperature;
  params.top_k = config.top_k;
  params.top_p = config.top_p;
  params.min_p = config.min_p;
  params.penalty_repeat = config.repeat_penalty;
  params.penalty_last_n = config.repeat_last_tokens;
  params.n_prev = std::max(params.n_prev, config.repeat_last_tokens);
  params.penalty_freq = config.frequency_penalty;
  params.penalty_present = config.presence_penalty;
  params.seed = config.seed;
  params.no_perf = true;
  if (config.ignore_end_of_sequence) {
    for (const llama_token token : EndOfGenerationTokens(*model)) {
      params.logit_bias.push_back({token, -std::numeric_limits<float>::infinity()});
    }
  }
  chain_.reset(common_sampler_init(model->model, params));
  if (!chain_) throw Failure("INVALID_ARGUMENT", "llama.cpp refused the sampling options.");
}

llama_token Sampler::Sample(llama_context* context, int32_t index) {
  const float* logits = llama_get_logits_ith(context, index);
  if (logits == nullptr) {
    throw Failure("NO_LOGITS", "Expected a position that was evaluated with logits; position " +
                                   std::to_string(index) + " was not.");
  }
  const llama_token token = greedy_ ? IndexOfLargest(logits, model->vocabulary_size, suppressed_)
                                    : common_sampler_sample(chain_.get(), context, index);
  if (std::isnan(logits[token])) {
    throw Failure(
        "DECODE_FAILED",
        "The model computed logits that are not numbers. Its file may be damaged (load it with checkTensors "
        "to find out), or its values overflow in this KV cache type.");
  }
  return token;
}

void Sampler::Accept(llama_token token, bool generated) {
  if (chain_) common_sampler_accept(chain_.get(), token, generated);
}

Napi::Value CreateSampler(const Napi::CallbackInfo& info) {
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  if (model->vocab_only) {
    throw Failure("NO_WEIGHTS",
                  "The model was loaded with vocabOnly; load it without that option to sample.");
  }
  return WrapHandle(info.Env(),
                    std::make_shared<Sampler>(model, ReadSamplingConfig(info[1].As<Napi::Object>())));
}

Napi::Value CloseSampler(const Napi::CallbackInfo& info) {
  ReleaseLater(info.Env(), std::move(HandleOf<Sampler>(info[0]).object));
  return info.Env().Undefined();
}
