// A context: KV memory and compute buffers of one model, with a thread of its own. Everything that touches
// the llama_context runs on that thread: the generation loop's steps, and between them the commands sent to
// it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "adapter.h"
#include "batch_loop.h"
#include "cpu_threads.h"
#include "handle.h"
#include "model.h"
#include "node_api.h"
#include "sequence_state.h"

class Context : public std::enable_shared_from_this<Context> {
 public:
  // Takes what the loop reports; called on the context's thread.
  using EventSink = std::function<void(StepEvents)>;

  // `state_limit`: most bytes of saved states on their way to JavaScript. `adapters` are the model's own.
  Context(std::shared_ptr<Model> model, llama_context_params params, size_t state_limit,
          std::optional<SpeculationConfig> speculation, std::vector<AppliedAdapter> adapters);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Allocates the llama_context; throws if that fails. Any thread, once, before Start().
  void Create();
  // `on_closed` runs on the context's thread after everything was freed.
  void Start(EventSink sink, std::function<void()> on_closed);

  // Any thread. Commands run in order between steps; false once the context is closing.
  bool Post(std::function<void()> command);
  // Ends generations as cancelled, drops later commands, frees the memory. Does not wait.
  void RequestClose();
  void WaitClosed();
  // As above, until the deadline at the longest.
  void WaitClosed(Clock::time_point deadline);

  // The rest is for commands, on the context's thread.
  void Eval(const std::vector<llama_token>& tokens, llama_seq_id sequence, int32_t position, bool all_logits);
  std::vector<float> Logits(int32_t index);
  llama_token Sample(Sampler& sampler, int32_t index);

  const std::shared_ptr<Model> model;
  const uint32_t id;
  llama_context* context = nullptr;
  std::unique_ptr<BatchLoop> loop;
  std::unique_ptr<SequenceStates> states;
  int32_t sequence_limit = 0;
  bool has_memory = false;  // encoders have none
  // What llama.cpp allocated on all devices together: keys, values and states; intermediate results.
  size_t cache_bytes = 0;
  size_t compute_bytes = 0;

  // Any thread. Whether it was created with a pooling.
  bool Embeds() const { return params_.embeddings; }
  // Any thread. Throws MODEL_UNSUPPORTED for an encoder.
  void RequireMemory() const;

 private:
  void Run();
  void CreateSpeculator();
  void MeasureMemory();
  void Free();
  int32_t OutputIndex(int32_t index) const;

  llama_context_params params_;
  size_t state_limit_;
  std::optional<SpeculationConfig> speculation_;
  std::vector<AppliedAdapter> adapters_;
  std::unique_ptr<CpuThreads> threads_;
  EventSink sink_;
  std::function<void()> on_closed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> commands_;
  std::atomic<bool> closing_{false};
  bool started_ = false;
  bool closed_ = false;
  // Which tokens of the last Eval have logits: none, the last one, or all.
  int32_t last_eval_tokens_ = 0;
  int32_t last_eval_chunk_ = 0;
  bool last_eval_all_ = false;
};

template <>
struct HandleKind<Context> {
  static constexpr const char* name = "context";
  static constexpr napi_type_tag tag = {0x6c6c616d612d6e61, 0x746976652d637478};
  static void Dispose(Napi::Env env, std::shared_ptr<Context> context) {
    context->RequestClose();
    ReleaseLater(env, std::move(context));
  }
};
