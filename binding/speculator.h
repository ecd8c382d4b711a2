// Speculative decoding: guesses how a generation goes on, so that the model checks several tokens in one step
// instead of making one. The guesses come from a smaller model, or from what the text said before. The text
// is the same either way, since every guess is compared with what the sampler chooses.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "batch.h"
#include "ggml-cpu.h"
#include "llama-cpp.h"
#include "model.h"
#include "speculative.h"

struct SpeculationConfig {
  std::shared_ptr<Model> draft_model;  // without one, earlier text is searched for the last tokens
  int32_t most_tokens = 8;             // in one guess
  float least_probability = 0.5f;      // of a token by the draft model; below it, the guess ends
  int32_t ngram_size = 4;              // tokens that must occur earlier
};

// How many tokens to guess next, learnt from how the last guesses fared: wrong ones cost as much as right
// ones.
class DraftPace {
 public:
  explicit DraftPace(int32_t most) : most_(most), limit_(most) {}
  // 0 while guessing is not worth it.
  int32_t Next();
  void Learn(int32_t drafted, int32_t accepted);
  // For some steps.
  void Pause() { skip_ = pause_; }

 private:
  static constexpr int32_t shortest_pause = 4;
  static constexpr int32_t longest_pause = 64;
  int32_t most_;
  int32_t limit_;
  int32_t skip_ = 0;
  int32_t pause_ = shortest_pause;
};

// Lives on the context's thread.
class Speculator {
 public:
  // One generation that may go on.
  struct Request {
    llama_seq_id sequence = 0;
    std::vector<llama_token>* tokens = nullptr;  // the last one has not been evaluated yet
    int32_t most = 0;                            // 0: the draft model only reads along
    std::vector<llama_token>* draft = nullptr;   // the guess, maybe empty
  };

  // `params` are those of the target's context; the draft model's gets the same size. Throws
  // DRAFT_MODEL_MISMATCH for a draft model with another vocabulary, and errors of creating its context.
  Speculator(const Model& target, llama_context* target_context, const SpeculationConfig& config,
             llama_context_params params, ggml_threadpool_t threads);

  void Draft(std::vector<Request>& requests);
  // How many of the tokens guessed last were right. Only after a guess.
  void Accept(llama_seq_id sequence, int32_t count);

 private:
  void CreateDraftContext(llama_context* target_context, llama_context_params params,
                          ggml_threadpool_t threads);
  bool ReadAlong(std::vector<Request>& requests);
  int32_t KeepCommonPrefix(llama_seq_id sequence, const std::vector<llama_token>& tokens);
  void SharePrefix(llama_seq_id sequence, const std::vector<llama_token>& tokens);
  void MakeRoom(const std::vector<Request>& requests);
  void NoteHeld(const Request& request);

  const int32_t vocabulary_size_;
  std::shared_ptr<Model> draft_model_;  // outlives its context
  llama_context_ptr draft_context_;
  llama_memory_t memory_ = nullptr;
  std::unique_ptr<Batch> batch_;
  common_params_speculative params_;
  common_speculative_ptr speculative_;
  // What the draft context holds, by sequence. It follows the target by comparing tokens, so that copying,
  // cutting and restoring sequences there needs no counterpart here.
  std::vector<std::vector<llama_token>> held_;
};
