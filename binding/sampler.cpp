#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "logits_scan.h"

namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

// Dividing by a temperature close to 0 may overflow. The order is right all the same, and such a temperature
// asks for the first.
llama_token Selected(const llama_token_data_array& candidates) {
  const llama_token_data& selected = candidates.data[candidates.selected];
  return std::isfinite(selected.logit) || !candidates.sorted ? selected.id : candidates.data[0].id;
}

}  // namespace

// Changes single logits of a row and puts them back at the end: the row belongs to llama.cpp.
class Sampler::AdjustedRow {
 public:
  explicit AdjustedRow(float* logits) : logits_(logits) {}
  AdjustedRow(const AdjustedRow&) = delete;
  AdjustedRow& operator=(const AdjustedRow&) = delete;
  ~AdjustedRow() {
    for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
      logits_[change->first] = change->second;
    }
  }

  void Set(llama_token token, float logit) {
    changes_.emplace_back(token, logits_[token]);
    logits_[token] = logit;
  }

 private:
  float* logits_;
  std::vector<std::pair<llama_token, float>> changes_;
};

Sampler::Sampler(std::shared_ptr<Model> owner, const SamplingConfig& config) : model(std::move(owner)) {
  CollectBiases(config);
  remembered_ = config.RememberedTokens();
  const bool only_forbids = std::all_of(biases_.begin(), biases_.end(),
                                        [](const auto& entry) { return entry.bias == minus_infinity; });
  const bool greedy = config.IsGreedy();
  greedy_ = greedy && remembered_ == 0 && only_forbids && !config.exact_chain;
  if (!greedy_) CreateChain(config, greedy);
  exact_ = config.exact_chain;
  CreateGrammar(config);
}

void Sampler::CreateGrammar(const SamplingConfig& config) {
  const ReasoningConfig& reasoning = config.reasoning;
  if (!reasoning.ends.empty()) reasoning_ = std::make_unique<Reasoning>(*model, reasoning);
  const std::string& grammar =
      config.json_schema.empty() ? config.grammar : BoundExponents(GrammarOfJsonSchema(config.json_schema));
  if (grammar.empty()) return;
  grammar_ = std::make_unique<Grammar>(model, grammar, config.grammar_triggers);
  // One that holds at once describes the reasoning too, and the beginning of the answer in the prompt.
  grammar_waits_ = !config.grammar_triggers.empty();
  if (grammar_waits_) return;
  for (const llama_token token : config.grammar_prefix) {
    if (!grammar_->Allows(token)) {
      throw Failure("INVALID_GRAMMAR", "The grammar does not go with the beginning of the answer.");
    }
    grammar_->Accept(token);
  }
}

bool Sampler::GrammarHolds() const {
  return grammar_ && (!grammar_waits_ || !reasoning_ || !reasoning_->IsOpen());
}

std::unique_ptr<Sampler> Sampler::ForPrompt(const std::shared_ptr<Model>& model, const SamplingConfig& config,
                                            const std::vector<llama_token>& prompt) {
  auto sampler = std::make_unique<Sampler>(model, config);
  const auto length = static_cast<int32_t>(prompt.size());
  for (int32_t i = length - std::min(length, config.RememberedTokens()); i < length; i++) {
    sampler->Accept(prompt[i], false);
  }
  return sampler;
}

// What the caller asked for and what the model itself forbids, each token once.
void Sampler::CollectBiases(const SamplingConfig& config) {
  int32_t suppressed_count = 0;
  const llama_token* suppressed = llama_vocab_get_suppress_tokens(model->vocabulary, &suppressed_count);
  forbidden_.assign(suppressed, suppressed + suppressed_count);
  if (config.ignore_end_of_sequence) {
    const std::vector<llama_token>& ends = model->EndTokens();
    forbidden_.insert(forbidden_.end(), ends.begin(), ends.end());
  }
  std::vector<llama_token> tokens;
  for (const llama_logit_bias& entry : config.logit_bias) {
    tokens.push_back(entry.token);
    if (entry.bias == minus_infinity) forbidden_.push_back(entry.token);
  }
  model->CheckTokens(tokens);
  std::sort(forbidden_.begin(), forbidden_.end());
  forbidden_.erase(std::unique(forbidden_.begin(), forbidden_.end()), forbidden_.end());

  for (const llama_token token : forbidden_) biases_.push_back({token, minus_infinity});
  for (const llama_logit_bias& entry : config.logit_bias) {
    if (!IsForbidden(entry.token)) biases_.push_back(entry);
  }
}

void Sampler::CreateChain(const SamplingConfig& config, bool greedy) {
  common_params_sampling params;
  params.temp = config.temperature;
  params.dynatemp_range = config.dynamic_temperature_range;
  params.dynatemp_exponent = config.dynamic_temperature_exponent;
  params.top_k = config.top_k;
  params.top_p = config.top_p;
  params.min_p = config.min_p;
  params.typ_p = config.typical_p;
  params.top_n_sigma = config.top_n_sigma;
  params.xtc_probability = config.xtc_probability;
  params.xtc_threshold = config.xtc_threshold;
  params.min_keep = config.min_keep;
  params.penalty_repeat = config.repeat_penalty;
  params.penalty_last_n = config.repeat_last_tokens;
  params.penalty_freq = config.frequency_penalty;
  params.penalty_present = config.presence_penalty;
  params.dry_multiplier = config.dry_multiplier;
  params.dry_base = config.dry_base;
  params.dry_allowed_length = config.dry_allowed_length;
  params.dry_penalty_last_n = config.dry_last_tokens;
  params.dry_sequence_breakers = config.dry_sequence_breakers;
  params.mirostat = config.mirostat;
  params.mirostat_tau = config.mirostat_tau;
  params.mirostat_eta = config.mirostat_eta;
  params.adaptive_target = config.adaptive_target;
  params.adaptive_decay = config.adaptive_decay;
  params.seed = config.seed;
  params.no_perf = true;
  // llama.cpp's own list of forbidden tokens comes on top, and naming one twice does no harm there.
  params.logit_bias = biases_;
  if (config.adaptive_target >= 0) params.samplers.push_back(COMMON_SAMPLER_TYPE_ADAPTIVE_P);
  if (config.typical_p < 1) {
    // Its entropy comes out as NaN where a probability is 0, so forbidden tokens are cut off before.
    const int32_t allowed = std::max(1, model->vocabulary_size - static_cast<int32_t>(forbidden_.size()));
    params.top_k = config.top_k == 0 ? allowed : std::min(config.top_k, allowed);
  }
  if (greedy && !config.exact_chain) params.top_k = 1;

  PlanShortCut(params, config, greedy);
  chain_.reset(common_sampler_init(model->model, params));
  if (!chain_) throw Failure("INVALID_ARGUMENT", "llama.cpp refused the sampling options.");
}

// The positions of steps in the chain, and where it may begin.
void Sampler::PlanShortCut(const common_params_sampling& params, const SamplingConfig& config, bool greedy) {
  penalties_position_ = biases_.empty() ? 0 : 1;  // biases come first, if there are any
  const auto position = [&](common_sampler_type type) {
    const auto step = std::find(params.samplers.begin(), params.samplers.end(), type);
    return penalties_position_ + static_cast<int32_t>(step - params.samplers.begin());
  };
  top_k_position_ = position(COMMON_SAMPLER_TYPE_TOP_K);
  top_k_ = params.top_k;
  top_p_ = params.top_p;
  min_p_ = params.min_p;
  min_keep_ = static_cast<size_t>(std::max(0, params.min_keep));
  if (config.exact_chain || config.mirostat != 0 || config.top_n_sigma > 0) return;
  if (greedy || config.NeedsFewCandidates()) {
    short_cut_ = ShortCut::top_k;
    next_position_ = top_k_position_;
  } else if (params.top_k > 0 || config.typical_p < 1) {
    return;
  } else if (params.top_p < 1) {
    short_cut_ = ShortCut::top_p;
    next_position_ = position(COMMON_SAMPLER_TYPE_MIN_P);
  } else if (params.min_p > 0) {
    short_cut_ = ShortCut::min_p;
    next_position_ = position(COMMON_SAMPLER_TYPE_XTC);
  }
}

bool Sampler::IsForbidden(llama_token token) const {
  return std::binary_search(forbidden_.begin(), forbidden_.end(), token);
}

llama_token Sampler::Sample(float* logits) {
  const llama_token forced = reasoning_ ? reasoning_->Forced() : -1;
  if (forced >= 0) return forced;
  const llama_token token = Choose(logits);
  if (std::isnan(logits[token])) {
    throw Failure(
        "DECODE_FAILED",
        "The model computed logits that are not numbers. Its file may be damaged (load it with checkTensors "
        "to find out), or its values overflow in this KV cache type.");
  }
  // llama.cpp too draws first, and asks the grammar about that token alone: mostly it is allowed.
  if (GrammarHolds() && (IsForbidden(token) || !grammar_->Allows(token))) return ChooseAllowed(logits);
  if (IsForbidden(token)) {
    throw Failure("NO_TOKEN_ALLOWED",
                  "Expected at least one token that may follow; logitBias and ignoreEndOfSequence forbid " +
                      std::to_string(forbidden_.size()) + " of " + std::to_string(model->vocabulary_size) +
                      ". Forbid fewer tokens.");
  }
  return token;
}

llama_token Sampler::Choose(float* logits) {
  if (greedy_) return IndexOfLargest(logits, model->vocabulary_size, forbidden_);
  if (short_cut_ != ShortCut::none && CollectCandidates(logits)) {
    return SampleCandidates(next_position_, short_cut_ != ShortCut::min_p);
  }
  return SampleVocabulary(logits);
}

// As llama.cpp does when the first draw was refused: the grammar first, then the chain. The largest allowed
// logits are what top-k would leave of all allowed ones.
llama_token Sampler::ChooseAllowed(float* logits) {
  llama_token token = -1;
  if (greedy_ || short_cut_ == ShortCut::top_k) {
    AdjustedRow row(logits);
    AdjustRow(row, logits);
    grammar_->CollectLargestAllowed(logits, greedy_ ? 1 : top_k_, scratch_, candidates_);
    if (!candidates_.empty()) token = greedy_ ? candidates_[0].id : SampleCandidates(next_position_, true);
  } else {
    if (exact_) {
      grammar_->CopyAllowedSlowly(logits, allowed_);
    } else {
      grammar_->CopyAllowed(logits, allowed_);
    }
    if (LargestValue(allowed_.data(), model->vocabulary_size) > minus_infinity)
      token = Choose(allowed_.data());
    if (token >= 0 && (IsForbidden(token) || allowed_[token] == minus_infinity)) token = -1;
  }
  if (token >= 0) return token;
  // The text is complete, and only the option ignoreEndOfSequence or a bias forbids to end it.
  const llama_token end = grammar_->End();
  if (end >= 0) return end;
  throw Failure(
      "NO_TOKEN_ALLOWED",
      "Expected at least one token that may follow; the grammar allows none of the vocabulary here, or only "
      "such as are forbidden. Check what it demands at this point: characters that the model's tokens "
      "cannot form, or an empty class such as [z-a].");
}

// Biases and penalties change the logits of few tokens, which are known.
void Sampler::AdjustRow(AdjustedRow& row, const float* logits) {
  for (const llama_logit_bias& entry : biases_) row.Set(entry.token, logits[entry.token] + entry.bias);
  if (remembered_ == 0) return;
  penalized_.clear();
  for (const auto& [token, count] : recent_counts_) penalized_.push_back({token, logits[token], 0.0F});
  llama_token_data_array array = {penalized_.data(), penalized_.size(), -1, false};
  for (int32_t i = penalties_position_; i < top_k_position_; i++) {
    llama_sampler_apply(llama_sampler_chain_get(common_sampler_get(chain_.get()), i), &array);
  }
  for (const llama_token_data& entry : penalized_) row.Set(entry.id, entry.logit);
}

// Takes from the row what the short cut's step leaves of the whole vocabulary; false where that cannot be
// told.
bool Sampler::CollectCandidates(float* logits) {
  const int32_t count = model->vocabulary_size;
  AdjustedRow row(logits);
  AdjustRow(row, logits);
  if (short_cut_ == ShortCut::top_k) return CollectLargest(logits, count, top_k_, scratch_, candidates_);
  if (HasNaN(logits, count) || !std::isfinite(LargestValue(logits, count))) return false;
  if (short_cut_ == ShortCut::top_p) {
    KeepTopP(logits, count, top_p_, min_keep_, cut_buffers_, candidates_);
    return true;
  }
  KeepMinP(logits, count, min_p_, candidates_);
  return candidates_.size() >= min_keep_;
}

llama_token Sampler::SampleCandidates(int32_t first_step, bool sorted) {
  llama_token_data_array array = {candidates_.data(), candidates_.size(), -1, sorted};
  llama_sampler* chain = common_sampler_get(chain_.get());
  const int32_t count = llama_sampler_chain_n(chain);
  for (int32_t i = first_step; i < count; i++) {
    llama_sampler_apply(llama_sampler_chain_get(chain, i), &array);
  }
  return Selected(array);
}

llama_token Sampler::SampleVocabulary(const float* logits) {
  const int32_t count = model->vocabulary_size;
  if (HasNaN(logits, count)) {  // they have no order, so llama.cpp's sorting may not end well
    const float* found = std::find_if(logits, logits + count, [](float x) { return std::isnan(x); });
    return static_cast<llama_token>(found - logits);
  }
  candidates_.resize(count);
  for (llama_token token = 0; token < count; token++) candidates_[token] = {token, logits[token], 0.0F};
  return SampleCandidates(0, false);
}

void Sampler::AcceptGenerated(llama_token token) {
  const bool held = GrammarHolds();
  if (reasoning_) reasoning_->Accept(token);
  if (held) {
    grammar_->Accept(token);
  } else if (grammar_ && reasoning_ && reasoning_->IsDone()) {
    // What ends the reasoning may also be what the grammar waits for.
    for (const llama_token end : reasoning_->End()) grammar_->Accept(end);
  }
}

void Sampler::Accept(llama_token token, bool generated) {
  if (generated) AcceptGenerated(token);
  if (!chain_) return;
  common_sampler_accept(chain_.get(), token, generated);
  if (remembered_ == 0) return;
  recent_.push_back(token);
  recent_counts_[token]++;
  if (recent_.size() <= remembered_) return;
  const auto oldest = recent_counts_.find(recent_.front());
  if (--oldest->second == 0) recent_counts_.erase(oldest);
  recent_.pop_front();
}

float* LogitsAt(llama_context* context, int32_t index) {
  float* logits = llama_get_logits_ith(context, index);
  if (logits != nullptr) return logits;
  throw Failure("NO_LOGITS", "Expected a position that was evaluated with logits; position " +
                                 std::to_string(index) + " was not.");
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
