// What a caller can say about how tokens are chosen, in llama.cpp's order and with its defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llama.h"
#include "node_api.h"

// What begins and ends the reasoning of a model, and how long it may be.
struct ReasoningConfig {
  std::vector<llama_token> start;
  std::vector<std::vector<llama_token>> ends;  // empty: nothing is known of reasoning
  std::vector<llama_token> prefix;             // the end of the prompt, which may begin it
  int32_t budget = -1;                         // tokens; below 0: no limit
};

struct SamplingConfig {
  float temperature = 0.8f;
  float dynamic_temperature_range = 0.0f;
  float dynamic_temperature_exponent = 1.0f;
  int32_t top_k = 40;
  float top_p = 0.95f;
  float min_p = 0.05f;
  float typical_p = 1.0f;
  float top_n_sigma = 0.0f;  // 0: off
  float xtc_probability = 0.0f;
  float xtc_threshold = 0.1f;
  int32_t min_keep = 0;
  float repeat_penalty = 1.0f;
  int32_t repeat_last_tokens = 64;
  float frequency_penalty = 0.0f;
  float presence_penalty = 0.0f;
  float dry_multiplier = 0.0f;  // 0: off
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;
  int32_t dry_last_tokens = 64;
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};
  int32_t mirostat = 0;  // 0: off, or its version
  float mirostat_tau = 5.0f;
  float mirostat_eta = 0.1f;
  float adaptive_target = -1.0f;  // below 0: off
  float adaptive_decay = 0.9f;
  std::vector<llama_logit_bias> logit_bias;  // no token twice
  std::string grammar;                       // GBNF; empty: none
  std::string json_schema;                   // as JSON text, in place of a grammar; empty: none
  // Of an answer in a chat: where a grammar begins to hold (regular expressions; empty: at once), and what it
  // has seen of the prompt.
  std::vector<std::string> grammar_triggers;
  std::vector<llama_token> grammar_prefix;
  ReasoningConfig reasoning;
  uint32_t seed = 0;
  bool ignore_end_of_sequence = false;
  bool exact_chain = false;  // for tests: llama.cpp's chain on the whole vocabulary, never the short cuts

  // How many of the last tokens have a say in the next one.
  int32_t RememberedTokens() const;
  // Whether the most probable token is the answer, whatever else is set.
  bool IsGreedy() const;
  // Whether only the `top_k` largest logits decide, once those of single tokens are adjusted.
  bool NeedsFewCandidates() const;
  // Whether creating a sampler takes long, or needs a large stack.
  bool IsSlowToCreate() const;

 private:
  bool HasPenalties() const;
  bool HasDry() const;
};

SamplingConfig ReadSamplingConfig(const Napi::Object& options);
