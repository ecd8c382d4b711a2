// The generation loop of one context. Each step composes a batch from all running sequences, decodes it,
// samples, checks the rules for stopping and reports. It runs on the context's own thread and needs
// JavaScript only to be told something new.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch.h"
#include "cpu_threads.h"
#include "llama.h"
#include "log_probabilities.h"
#include "model.h"
#include "sampler.h"
#include "sequence_state.h"
#include "speculator.h"
#include "state_bytes.h"
#include "text_stream.h"

using Clock = std::chrono::steady_clock;

// What a generation does when it has filled the context: end, fail, or forget older tokens and go on.
enum class ContextFullPolicy { stop, error, shift };

// A generation as it is submitted. Its tokens are prompt; the loop appends what it generates.
struct GenerationRequest {
  uint32_t id = 0;
  llama_seq_id sequence = 0;
  std::vector<llama_token> tokens;
  // The first `cached_tokens` tokens are already in the KV cache of `cached_sequence`.
  llama_seq_id cached_sequence = 0;
  int32_t cached_tokens = 0;
  // A saved state to begin from instead, whose first `state_tokens` positions are the first tokens.
  StateBytes state;
  int32_t state_tokens = 0;
  std::vector<int32_t> snapshots;  // ascending: numbers of prompt tokens after which the sequence is saved
  int32_t max_tokens = -1;         // below 0: no limit
  std::vector<std::string> stop_strings;
  std::vector<llama_token>
      visible_tokens;  // control tokens that appear in the text, such as those of tool calls
  ContextFullPolicy context_full = ContextFullPolicy::stop;
  int32_t keep_tokens = 0;  // how many of the first tokens a shift keeps
  SamplingConfig sampling;
  bool sampler_follows = false;    // it is made elsewhere and comes through ProvideSampler()
  bool processes_logits = false;   // JavaScript changes each row before a token is chosen from it
  int32_t log_probabilities = -1;  // of this many alternatives beside each token; below 0: of none
  bool speculate = true;           // where the loop has a speculator
  Clock::time_point submitted = Clock::now();
};

enum class FinishReason { stop, length, cancelled, failed };

// What happened to one generation in a step.
struct GenerationEvent {
  uint32_t id = 0;
  std::string text;
  std::vector<llama_token> tokens;
  std::vector<TokenLogProbabilities> log_probabilities;  // one for each token, if asked for

  bool finished = false;
  FinishReason reason = FinishReason::stop;
  int stop_string = -1;
  int32_t prompt_tokens = 0;
  int32_t cached_tokens = 0;
  int32_t completion_tokens = 0;
  int32_t decode_steps = 0;     // tokens sampled after the first one, an end-of-sequence token included
  int32_t resident_tokens = 0;  // tokens of prompt and answer that stay in the KV cache; 0 after a shift
  int32_t shifts = 0;           // how often older tokens were forgotten
  int32_t draft_tokens = 0;     // guessed
  int32_t accepted_draft_tokens = 0;
  double queue_ms = 0, prompt_ms = 0, first_token_ms = 0, completion_ms = 0, total_ms = 0;
  const char* error_code = nullptr;  // if failed
  std::string error_message;
};

// A row of logits that JavaScript is to change; it answers with ProvideLogits().
struct LogitsRequest {
  uint32_t id = 0;
  std::vector<llama_token> tokens;  // what the row follows
  std::vector<float> row;
};

// Counts since the context was created.
struct LoopMetrics {
  // Step times in milliseconds fall into buckets up to 1, 2, 4, ... and beyond the last.
  static constexpr int buckets = 14;

  uint64_t steps = 0;
  uint64_t batch_tokens = 0;  // rows of all batches
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;
  uint64_t completion_tokens = 0;
  uint64_t evictions = 0;
  uint64_t pauses = 0;
  uint64_t shifts = 0;
  uint64_t draft_tokens = 0;
  uint64_t accepted_draft_tokens = 0;
  uint64_t states_saved = 0;
  uint64_t state_bytes_saved = 0;
  uint64_t states_restored = 0;
  uint64_t state_tokens_restored = 0;
  uint64_t states_refused = 0;  // damaged, or another model's
  double state_save_ms = 0;
  double state_restore_ms = 0;
  double step_ms = 0;
  uint64_t step_histogram[buckets] = {};

  void CountStep(double milliseconds, int32_t rows);
};

// A sequence that no generation uses. What it holds is known to JavaScript by the key, and saved when it is
// given up unless the key is 0.
struct EvictableSequence {
  llama_seq_id sequence = -1;
  int32_t key = 0;
};

// A state on its way to JavaScript; it counts as unclaimed until it got there.
struct SavedState {
  StateBytes bytes;
  std::shared_ptr<void> claim;
};

struct EvictedSequence {
  llama_seq_id sequence = -1;
  int32_t key = 0;
  SavedState state;  // without bytes if it was not saved
};

struct Snapshot {
  uint32_t id = 0;  // of the generation
  int32_t position = 0;
  SavedState state;
};

// A generation whose saved state was of no use.
struct UnrestoredState {
  uint32_t id = 0;
  bool invalid = false;  // else there was no room for it
};

struct StepEvents {
  std::vector<GenerationEvent> generations;
  std::vector<LogitsRequest> logits;
  std::vector<EvictedSequence> evicted;  // idle sequences whose cache was given up for room
  std::vector<Snapshot> snapshots;
  std::vector<UnrestoredState> unrestored;

  bool empty() const {
    return generations.empty() && logits.empty() && evicted.empty() && snapshots.empty() &&
           unrestored.empty();
  }
};

class BatchLoop {
 public:
  // `threads`, `states` and `context` outlive the loop. JavaScript is sent no states beyond `state_limit`
  // bytes that it has not taken yet.
  BatchLoop(std::shared_ptr<Model> model, llama_context* context, CpuThreads& threads,
            const SequenceStates* states, size_t state_limit);
  BatchLoop(const BatchLoop&) = delete;
  BatchLoop& operator=(const BatchLoop&) = delete;

  // From now on, generations go on by guesses. `most_tokens` as in its configuration.
  void Speculate(std::unique_ptr<Speculator> speculator, int32_t most_tokens);

  void Submit(GenerationRequest request);
  void Cancel(uint32_t id);
  void CancelAll();
  // For generations that wait for them; others, such as cancelled ones, are left alone.
  void ProvideSampler(uint32_t id, std::unique_ptr<Sampler> sampler);
  void ProvideLogits(uint32_t id, std::vector<float> logits);
  void FailGeneration(uint32_t id, const char* code, const std::string& message);
  // Sequences that no generation uses, in the order in which their cache may be given up.
  void SetEvictable(std::vector<EvictableSequence> sequences);
  // The state of a sequence that holds exactly this many tokens; without bytes if it does not.
  SavedState SavePrefix(llama_seq_id sequence, int32_t length);

  bool HasWork() const;
  // One batch; a no-op without work.
  void Step();
  // Whether there is something to tell now. What a fast model makes within a few milliseconds is told
  // together, since waking JavaScript for each token takes a processor away from the next one; a beginning or
  // an end never waits.
  bool EventsDue() const;
  // What happened since the last call.
  StepEvents TakeEvents();
  const LoopMetrics& Metrics() const { return metrics_; }

 private:
  // A token, and what is to be told of it.
  struct Choice {
    llama_token token = 0;
    std::optional<TokenLogProbabilities> log_probabilities;
    std::exception_ptr error;
    double milliseconds = 0;
  };
  struct Running {
    GenerationRequest request;
    std::unique_ptr<Sampler> sampler;  // empty while it is being made
    TextStream text;
    int32_t prompt_tokens;
    int32_t evaluated = 0;           // tokens whose keys and values are in the cache
    int32_t in_batch = 0;            // tokens of this sequence in the current batch
    int32_t output_index = -1;       // where in the current batch its logits begin; -1: none yet
    std::optional<Choice> choice{};  // of this step, if it was made ahead
    DraftPace pace{0};
    std::vector<llama_token> draft{};  // what may come next, evaluated in the same step
    int32_t draft_tokens = 0;
    int32_t accepted_draft_tokens = 0;
    int32_t sampled = 0;
    int32_t generated = 0;
    int32_t shifts = 0;
    bool paused = false;   // gave its cache up; is computed again when there is room
    bool waiting = false;  // for its donor, another generation that is still reading the prefix they share
    uint32_t donor = 0;
    size_t snapshots_taken = 0;             // or passed
    bool held = false;                      // its logits are there, but a token cannot be chosen yet
    bool asked = false;                     // JavaScript has its logits
    std::vector<float> row{};               // of the last token, while held
    std::vector<float> processed{};         // what JavaScript made of it
    std::vector<llama_token> unreported{};  // generated tokens whose text is still held back
    std::vector<TokenLogProbabilities> unreported_log_probabilities{};
    Clock::time_point started{};
    Clock::time_point first_token{};
    Clock::time_point last_token{};

    bool Active() const { return !paused && !waiting; }
    int32_t UntilSnapshot() const;
    int32_t Remaining() const { return static_cast<int32_t>(request.tokens.size()) - evaluated; }
  };
  using RunningList = std::list<Running>;  // in the order of submission

  int32_t PrepareCache(const GenerationRequest& request);
  int32_t UsablePrefix(llama_seq_id sequence, int32_t wanted) const;
  bool RestorePrefix(Running& running);
  bool LoadState(llama_seq_id sequence, const StateBytes& bytes, int32_t positions);
  int64_t HeldPositions() const;
  SavedState Save(llama_seq_id sequence);
  void TakeSnapshot(Running& running);
  void ReportEvicted(const EvictableSequence& victim);
  void FindDonor(Running& newcomer);
  void StartWaiting();
  Running* Find(uint32_t id);
  void DraftAll();
  int32_t MostDraftTokens(const Running& running) const;
  void DropDrafts();
  void ComposeBatch();
  void AddToBatch(Running& running, int32_t count);
  int32_t Decode();
  void SampleAll();
  Choice Choose(const Running& running, float* logits, const float* model_logits) const;
  void ChooseAhead();
  Choice TakeChoice(Running& running, float* logits, const float* model_logits);
  static bool CanChoose(const Running& running);
  bool AdvanceAll(Running& running);  // false once it has finished
  bool TakeLogits(Running& running);  // likewise
  // From the logits to choose from, and those of the model; false once it has finished.
  bool Advance(Running& running, float* logits, const float* model_logits);
  bool AdvanceRow(Running& running, int32_t row);  // from those of the batch
  // What `work` throws fails the generation; then, and if it says so, false.
  template <typename Work>
  bool Guarded(Running& running, Work work);
  RunningList::iterator Position(uint32_t id);
  void Continue(RunningList::iterator position);
  void MakeRoom();
  bool EvictIdleSequence();
  bool OnContextFull(Running& running);  // false once it has finished
  void Shift(Running& running);
  void ClearSequence(llama_seq_id sequence);
  bool CanResume() const;
  void ResumePaused();
  void Finish(Running& running, FinishReason reason);
  void Fail(Running& running, const char* code, const std::string& message);
  GenerationEvent& EventOf(const Running& running);
  static void ReportTokens(Running& running, GenerationEvent& event);

  std::shared_ptr<Model> model_;
  llama_context* context_;
  CpuThreads& threads_;
  llama_memory_t memory_;
  Batch batch_;
  int32_t context_size_;
  int32_t sequence_count_;
  std::vector<bool> shares_;  // by sequence: some of its cells may belong to others too
  bool room_freed_ = false;   // since a generation was paused: only then may one resume
  bool keeps_state_;  // recurrent and hybrid models: the memory is a state and cannot be cut at any point
  std::unique_ptr<Speculator> speculator_;
  int32_t most_draft_tokens_ = 0;
  int32_t window_;  // of the layers that attend to a sliding window; 0: there are none
  const SequenceStates* states_;
  size_t state_limit_;
  std::shared_ptr<std::atomic<size_t>> unclaimed_bytes_ = std::make_shared<std::atomic<size_t>>(0);
  RunningList running_;
  std::vector<EvictableSequence> evictable_;
  double choice_ms_ = 0;  // what choosing a token takes, a moving average
  LoopMetrics metrics_;
  StepEvents events_;
  bool urgent_ = false;  // an event that must not wait
  Clock::time_point last_taken_{};
};

template <typename Work>
bool BatchLoop::Guarded(Running& running, Work work) {
  try {
    return work();
  } catch (const std::exception& error) {
    const auto* failure = dynamic_cast<const Failure*>(&error);
    Fail(running, failure != nullptr ? failure->code : "DECODE_FAILED", error.what());
    return false;
  }
}
