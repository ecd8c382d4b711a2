#include "sampling_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "arguments.h"

namespace {

constexpr int32_t int_max = std::numeric_limits<int32_t>::max();
constexpr int32_t longest_memory = 1 << 20;

// (Int32Array, Float32Array) => the same as pairs.
std::vector<llama_logit_bias> ReadLogitBias(const Napi::Object& options) {
  const Napi::Value ids = options.Get("logitBiasTokens");
  const Napi::Value values = options.Get("logitBiasValues");
  if (ids.IsUndefined() || ids.IsNull()) return {};
  const std::vector<llama_token> tokens = ReadTokens(ids);
  const bool floats = values.IsTypedArray() &&
                      values.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array &&
                      values.As<Napi::TypedArray>().ElementLength() == tokens.size();
  if (!floats) throw Failure("INVALID_ARGUMENT", "Expected one value for each token of logitBias.");
  const float* bias = values.As<Napi::Float32Array>().Data();
  std::vector<llama_logit_bias> pairs;
  for (size_t i = 0; i < tokens.size(); i++) {
    // llama.cpp sorts logits into integer buckets, which much larger numbers would overflow.
    const bool allowed = bias[i] >= -100 && bias[i] <= 100;
    if (!allowed && bias[i] != -std::numeric_limits<float>::infinity()) {
      throw Failure("INVALID_ARGUMENT",
                    "Expected numbers from -100 to 100, or negative infinity, for logitBias.");
    }
    pairs.push_back({tokens[i], bias[i]});
  }
  return pairs;
}

void ReadDry(const Napi::Object& options, SamplingConfig& config) {
  config.dry_multiplier = ReadFloat(options, "dryMultiplier", config.dry_multiplier, 0, 100);
  config.dry_base = ReadFloat(options, "dryBase", config.dry_base, 1, 100);
  config.dry_allowed_length =
      ReadInteger(options, "dryAllowedLength", config.dry_allowed_length, 0, longest_memory);
  config.dry_last_tokens = ReadInteger(options, "dryLastTokens", config.dry_last_tokens, 0, longest_memory);
  const Napi::Value breakers = options.Get("drySequenceBreakers");
  if (!breakers.IsUndefined()) {
    config.dry_sequence_breakers = ReadStrings(breakers, "drySequenceBreakers");
  }
  const auto too_long = [](const std::string& text) { return text.empty() || text.size() > 40; };
  if (config.dry_sequence_breakers.size() > 16 ||
      std::any_of(config.dry_sequence_breakers.begin(), config.dry_sequence_breakers.end(), too_long)) {
    throw Failure("INVALID_ARGUMENT", "Expected at most 16 texts of 1 to 40 bytes for drySequenceBreakers.");
  }
}

// How the answer of a chat is written, as its template tells.
void ReadChatOptions(const Napi::Object& options, SamplingConfig& config) {
  const auto tokens = [](const Napi::Value& value) {
    return value.IsUndefined() ? std::vector<llama_token>() : ReadTokens(value);
  };
  config.grammar_triggers = ReadStrings(options.Get("grammarTriggers"), "grammarTriggers");
  config.grammar_prefix = tokens(options.Get("grammarPrefix"));
  ReasoningConfig& reasoning = config.reasoning;
  reasoning.start = tokens(options.Get("reasoningStart"));
  reasoning.budget = ReadInteger(options, "reasoningBudget", -1, -1, int_max);
  reasoning.prefix = tokens(options.Get("reasoningPrefix"));
  if (!options.Get("reasoningEnds").IsArray()) return;
  auto ends = options.Get("reasoningEnds").As<Napi::Array>();
  for (uint32_t i = 0; i < ends.Length(); i++) reasoning.ends.push_back(ReadTokens(ends.Get(i)));
}

}  // namespace

SamplingConfig ReadSamplingConfig(const Napi::Object& options) {
  SamplingConfig config;
  config.temperature = ReadFloat(options, "temperature", config.temperature, 0, 100);
  if (config.temperature < 1e-6F)
    config.temperature = 0;  // dividing by it would overflow; it is greedy all the same
  config.dynamic_temperature_range =
      ReadFloat(options, "dynamicTemperatureRange", config.dynamic_temperature_range, 0, 100);
  config.dynamic_temperature_exponent =
      ReadFloat(options, "dynamicTemperatureExponent", config.dynamic_temperature_exponent, 0, 100);
  config.top_k = ReadInteger(options, "topK", config.top_k, 0, int_max);
  config.top_p = ReadFloat(options, "topP", config.top_p, 0, 1);
  config.min_p = ReadFloat(options, "minP", config.min_p, 0, 1);
  config.typical_p = ReadFloat(options, "typicalP", config.typical_p, 0, 1);
  config.top_n_sigma = ReadFloat(options, "topNSigma", config.top_n_sigma, 0, 100);
  config.xtc_probability = ReadFloat(options, "xtcProbability", config.xtc_probability, 0, 1);
  config.xtc_threshold = ReadFloat(options, "xtcThreshold", config.xtc_threshold, 0, 1);
  config.min_keep = ReadInteger(options, "minKeep", config.min_keep, 0, int_max);
  config.repeat_penalty = ReadFloat(options, "repeatPenalty", config.repeat_penalty, 1e-3, 100);
  config.repeat_last_tokens =
      ReadInteger(options, "repeatLastTokens", config.repeat_last_tokens, 0, longest_memory);
  config.frequency_penalty = ReadFloat(options, "frequencyPenalty", config.frequency_penalty, -100, 100);
  config.presence_penalty = ReadFloat(options, "presencePenalty", config.presence_penalty, -100, 100);
  ReadDry(options, config);
  config.mirostat = ReadInteger(options, "mirostat", config.mirostat, 0, 2);
  config.mirostat_tau = ReadFloat(options, "mirostatTau", config.mirostat_tau, 0, 20);
  config.mirostat_eta = ReadFloat(options, "mirostatEta", config.mirostat_eta, 0, 1);
  config.adaptive_target = ReadFloat(options, "adaptiveTarget", config.adaptive_target, -1, 1);
  config.adaptive_decay = ReadFloat(options, "adaptiveDecay", config.adaptive_decay, 0, 0.99);
  config.logit_bias = ReadLogitBias(options);
  config.grammar = ReadString(options, "grammar", "");
  config.json_schema = ReadString(options, "jsonSchema", "");
  ReadChatOptions(options, config);
  const Napi::Value seed = options.Get("seed");
  if (seed.IsNumber()) config.seed = seed.As<Napi::Number>().Uint32Value();
  if (config.seed == LLAMA_DEFAULT_SEED) config.seed--;  // that one means "a random one" to llama.cpp
  config.ignore_end_of_sequence = ReadBool(options.Get("ignoreEndOfSequence"), false);
  config.exact_chain = ReadBool(options.Get("exactChain"), false);
  return config;
}

bool SamplingConfig::HasPenalties() const {
  return repeat_last_tokens != 0 &&
         (repeat_penalty != 1.0f || frequency_penalty != 0.0f || presence_penalty != 0.0f);
}

bool SamplingConfig::HasDry() const {
  return dry_multiplier != 0.0f && dry_last_tokens != 0;
}

bool SamplingConfig::IsSlowToCreate() const {
  // DRY looks at the text of every token.
  return HasDry() || !grammar.empty() || !json_schema.empty() || !reasoning.ends.empty();
}

int32_t SamplingConfig::RememberedTokens() const {
  if (mirostat != 0) return 0;
  return std::max(HasPenalties() ? repeat_last_tokens : 0, HasDry() ? dry_last_tokens : 0);
}

bool SamplingConfig::IsGreedy() const {
  if (mirostat != 0) return temperature <= 0;
  if (top_k == 1) return true;
  // All other steps keep the most probable token and its place.
  const bool may_drop_best = typical_p < 1 || (xtc_probability > 0 && xtc_threshold <= 0.5F);
  return temperature <= 0 && dynamic_temperature_range <= 0 && !may_drop_best && adaptive_target < 0;
}

bool SamplingConfig::NeedsFewCandidates() const {
  return mirostat == 0 && top_k >= 1 && top_k <= 256 && top_n_sigma <= 0;
}
