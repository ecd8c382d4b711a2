// Where a model is in its reasoning, and its end when a budget is used up.
#pragma once

#include <memory>
#include <vector>

#include "llama.h"
#include "model.h"
#include "sampling_config.h"

class Reasoning {
 public:
  Reasoning(const Model& model, const ReasoningConfig& config);

  // Whether the model is thinking.
  bool IsOpen() const;
  // Whether its last thought has ended, and with which tokens.
  bool IsDone() const;
  std::vector<llama_token> End() const;
  // The token that must come next, since the budget is used up; −1 if any may.
  llama_token Forced() const;
  void Accept(llama_token token);

 private:
  std::vector<llama_token> forced_;  // what ends the reasoning
  std::unique_ptr<llama_sampler, void (*)(llama_sampler*)> state_;
};
