#include "context.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "../src/llama-ext.h"
#include "backend.h"
#include "engine_process.h"

namespace {
std::atomic<uint32_t> next_id{1};
}

Context::Context(std::shared_ptr<Model> owner, llama_context_params params, size_t state_limit,
                 std::optional<SpeculationConfig> speculation, std::vector<AppliedAdapter> adapters)
    : model(std::move(owner)),
      id(next_id++),
      params_(params),
      state_limit_(state_limit),
      speculation_(std::move(speculation)),
      adapters_(std::move(adapters)) {}

Context::~Context() {
  Free();
}

void Context::Free() {
  loop.reset();
  if (context != nullptr) llama_free(context);
  context = nullptr;
  threads_.reset();
}

void Context::Create() {
  model->CloseAdapterList();
  LogCapture log;
  params_.abort_callback = [](void* data) {
    Progress::Advance();
    return static_cast<Context*>(data)->closing_.load();
  };
  params_.abort_callback_data = this;
  try {
    context = llama_init_from_model(model->model, params_);
  } catch (const std::exception& error) {
    throw Failure("CONTEXT_CREATE_FAILED", std::string(error.what()) + "\n" + log.Text());
  }
  if (context == nullptr) throw Failure("CONTEXT_CREATE_FAILED", log.Text());
  MeasureMemory();
  ApplyAdapters(context, adapters_);
  // Without threads of its own, ggml starts and ends new ones for every batch.
  threads_ = std::make_unique<CpuThreads>(params_.n_threads);
  if (threads_->Pool() != nullptr) llama_attach_threadpool(context, threads_->Pool(), nullptr);
  has_memory = llama_get_memory(context) != nullptr && !llama_model_has_encoder(model->model);
  states = std::make_unique<SequenceStates>(context,
                                            StateFingerprint(*model, params_, DescribeAdapters(adapters_)));
  if (has_memory) loop = std::make_unique<BatchLoop>(model, context, *threads_, states.get(), state_limit_);
  if (speculation_) CreateSpeculator();
  sequence_limit = static_cast<int32_t>(llama_n_seq_max(context));
}

void Context::MeasureMemory() {
  for (const auto& [buffer_type, bytes] : llama_get_memory_breakdown(context)) {
    cache_bytes += bytes.context;
    compute_bytes += bytes.compute;
  }
}

void Context::CreateSpeculator() {
  RequireMemory();
  if (llama_model_is_recurrent(model->model) || llama_model_is_hybrid(model->model)) {
    throw Failure("MODEL_UNSUPPORTED",
                  "Speculative decoding takes wrong guesses back, and the memory of recurrent and hybrid "
                  "models cannot go back. Load the model without the option speculative.");
  }
  if (speculation_->draft_model) speculation_->draft_model->CloseAdapterList();
  auto speculator = std::make_unique<Speculator>(*model, context, *speculation_, params_, threads_->Pool());
  loop->Speculate(std::move(speculator), speculation_->most_tokens);
  speculation_.reset();  // the speculator holds the draft model from here
}

void Context::RequireMemory() const {
  if (has_memory) return;
  throw Failure("MODEL_UNSUPPORTED", "This model has an encoder: llama-native cannot generate text with it.");
}

void Context::Start(EventSink sink, std::function<void()> on_closed) {
  sink_ = std::move(sink);
  on_closed_ = std::move(on_closed);
  started_ = true;
  std::thread([self = shared_from_this()] { self->Run(); }).detach();  // WaitClosed() waits for its end
}

bool Context::Post(std::function<void()> command) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing_) return false;
  commands_.push_back(std::move(command));
  changed_.notify_all();
  return true;
}

void Context::RequestClose() {
  std::lock_guard<std::mutex> lock(mutex_);
  closing_ = true;
  changed_.notify_all();
}

void Context::WaitClosed() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (started_) changed_.wait(lock, [this] { return closed_; });
}

void Context::WaitClosed(Clock::time_point deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (started_) changed_.wait_until(lock, deadline, [this] { return closed_; });
}

void Context::Run() {
  while (true) {
    std::deque<std::function<void()>> commands;
    bool closing = false;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (loop == nullptr || !loop->HasWork()) {
        changed_.wait(lock, [this] { return closing_ || !commands_.empty(); });
      }
      commands.swap(commands_);
      closing = closing_;  // read under the lock: nothing is accepted after it, so this is all there is
    }
    // Commands that were accepted run also while closing: promises hang on them.
    for (std::function<void()>& command : commands) {
      command();
      command = nullptr;
    }
    if (closing) break;
    if (loop == nullptr) continue;
    loop->Step();
    Progress::Advance();
    if (loop->EventsDue()) sink_(loop->TakeEvents());
  }

  if (loop != nullptr) {
    loop->CancelAll();
    StepEvents events = loop->TakeEvents();
    if (!events.empty()) sink_(std::move(events));
  }
  Free();
  sink_ = nullptr;
  on_closed_();
  on_closed_ = nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void Context::Eval(const std::vector<llama_token>& tokens, llama_seq_id sequence, int32_t position,
                   bool all_logits) {
  const auto capacity = static_cast<int32_t>(llama_n_batch(context));
  const auto total = static_cast<int32_t>(tokens.size());
  last_eval_tokens_ = 0;
  Batch batch(std::min(capacity, total));
  for (int32_t begin = 0; begin < total; begin += capacity) {
    batch.Clear();
    const int32_t end = std::min(begin + capacity, total);
    for (int32_t i = begin; i < end; i++)
      batch.Add(tokens[i], position + i, sequence, all_logits || i + 1 == total);
    LogCapture log;
    const int32_t status = llama_decode(context, batch.Get());
    if (status == 0) {
      last_eval_chunk_ = batch.Size();
      continue;
    }
    if (status == 1) {
      throw Failure("CONTEXT_FULL",
                    "The KV cache of " + std::to_string(llama_n_ctx(context)) +
                        " tokens has no room for the batch. Remove tokens of a sequence first, or "
                        "create the context with a larger contextSize.");
    }
    if (status == 2) throw Failure("CLOSED", "The context was closed during the evaluation.");
    throw Failure(status == -1 ? "INVALID_ARGUMENT" : "DECODE_FAILED",
                  "llama.cpp refused the batch (status " + std::to_string(status) + "). " + log.Text());
  }
  last_eval_tokens_ = total;
  last_eval_all_ = all_logits;
}

// Counts from the end if negative. Returns the index within the last batch that llama.cpp evaluated.
int32_t Context::OutputIndex(int32_t index) const {
  const int32_t token = index < 0 ? last_eval_tokens_ + index : index;
  const bool in_range = token >= 0 && token < last_eval_tokens_;
  if (!in_range || (!last_eval_all_ && token + 1 != last_eval_tokens_)) {
    throw Failure("NO_LOGITS",
                  "Expected the index of a token of the last eval() that has logits; received " +
                      std::to_string(index) + " after an eval of " + std::to_string(last_eval_tokens_) +
                      " tokens. Pass { logits: 'all' } to eval(), or ask for the last token (-1).");
  }
  return token - (last_eval_tokens_ - last_eval_chunk_);
}

std::vector<float> Context::Logits(int32_t index) {
  const float* row = llama_get_logits_ith(context, OutputIndex(index));
  if (row == nullptr) throw Failure("NO_LOGITS", "llama.cpp has no logits at this index.");
  return {row, row + model->vocabulary_size};
}

llama_token Context::Sample(Sampler& sampler, int32_t index) {
  if (sampler.model != model) {
    throw Failure("INVALID_ARGUMENT",
                  "Expected a sampler of the context's own model; received another model's.");
  }
  const std::lock_guard<std::mutex> lock(sampler.mutex);  // two contexts may share a sampler
  const llama_token token = sampler.Sample(LogitsAt(context, OutputIndex(index)));
  sampler.Accept(token, true);
  return token;
}
