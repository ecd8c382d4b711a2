#include "reasoning.h"

#include <reasoning-budget.h>

#include <cmath>
#include <limits>

Reasoning::Reasoning(const Model& model, const ReasoningConfig& config)
    : forced_(config.ends.front()), state_(nullptr, llama_sampler_free) {
  const int32_t budget = config.budget < 0 ? std::numeric_limits<int32_t>::max() : config.budget;
  state_.reset(common_reasoning_budget_init(model.vocabulary, {config.start}, config.ends, forced_, budget));
  for (const llama_token token : config.prefix) Accept(token);
}

bool Reasoning::IsOpen() const {
  const common_reasoning_budget_state state = common_reasoning_budget_get_state(state_.get());
  return state != REASONING_BUDGET_IDLE && state != REASONING_BUDGET_DONE;
}

bool Reasoning::IsDone() const {
  return common_reasoning_budget_get_state(state_.get()) == REASONING_BUDGET_DONE;
}

std::vector<llama_token> Reasoning::End() const {
  const llama_tokens* end = common_reasoning_budget_get_end_match(state_.get());
  return end == nullptr ? std::vector<llama_token>() : *end;
}

llama_token Reasoning::Forced() const {
  if (common_reasoning_budget_get_state(state_.get()) != REASONING_BUDGET_FORCING) return -1;
  // It leaves only the token it wants, which is one of these.
  std::vector<llama_token_data> candidates;
  for (const llama_token token : forced_) candidates.push_back({token, 0.0F, 0.0F});
  llama_token_data_array array = {candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(state_.get(), &array);
  for (const llama_token_data& candidate : candidates) {
    if (!std::isinf(candidate.logit)) return candidate.id;
  }
  return -1;
}

void Reasoning::Accept(llama_token token) {
  llama_sampler_accept(state_.get(), token);
}
