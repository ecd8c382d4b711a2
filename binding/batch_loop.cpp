#include "batch_loop.h"

#include <algorithm>
#include <utility>

namespace {

double Milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

BatchLoop::BatchLoop(std::shared_ptr<Model> model, llama_context* context)
    : model_(std::move(model)),
      context_(context),
      memory_(llama_get_memory(context)),
      batch_(llama_batch_init(static_cast<int32_t>(llama_n_batch(context)), 0, 1)),
      batch_capacity_(static_cast<int32_t>(llama_n_batch(context))),
      context_size_(static_cast<int32_t>(llama_n_ctx(context))),
      sequence_count_(static_cast<int32_t>(llama_n_seq_max(context))),
      keeps_state_(llama_model_is_recurrent(model_->model) || llama_model_is_hybrid(model_->model)) {}

BatchLoop::~BatchLoop() {
  llama_batch_free(batch_);
}

void BatchLoop::Submit(GenerationRequest request) {
  const Clock::time_point started = Clock::now();
  try {
    auto sampler = std::make_unique<Sampler>(model_, request.sampling);
    const auto prompt_tokens = static_cast<int32_t>(request.tokens.size());
    const int32_t penalized = std::min(prompt_tokens, request.sampling.repeat_last_tokens);
    for (int32_t i = prompt_tokens - penalized; i < prompt_tokens; i++)
      sampler->Accept(request.tokens[i], false);

    evictable_.erase(std::remove(evictable_.begin(), evictable_.end(), request.sequence), evictable_.end());
    TextStream text(request.stop_strings);
    Running running{std::move(request), std::move(sampler), std::move(text), prompt_tokens};
    running.started = running.first_token = running.last_token = started;
    FindDonor(running);
    if (!running.waiting) running.evaluated = running.request.cached_tokens = PrepareCache(running.request);
    running_.push_back(std::move(running));
  } catch (const std::exception& error) {
    llama_memory_seq_rm(memory_, request.sequence, -1, -1);
    GenerationEvent event;
    event.id = request.id;
    event.finished = true;
    event.reason = FinishReason::failed;
    const auto* failure = dynamic_cast<const Failure*>(&error);
    event.error_code = failure != nullptr ? failure->code : "INVALID_ARGUMENT";
    event.error_message = error.what();
    events_.generations.push_back(std::move(event));
  }
}

BatchLoop::Running* BatchLoop::Find(uint32_t id) {
  for (Running& running : running_) {
    if (running.request.id == id) return &running;
  }
  return nullptr;
}

// If the prefix is still being read by another generation, it is worth waiting for: reading it too takes
// longer.
void BatchLoop::FindDonor(Running& newcomer) {
  const GenerationRequest& request = newcomer.request;
  if (request.cached_sequence == request.sequence) return;
  for (const Running& running : running_) {
    if (running.request.sequence != request.cached_sequence) continue;
    if (running.paused || running.evaluated >= request.cached_tokens) return;
    llama_memory_seq_rm(memory_, request.sequence, -1, -1);
    newcomer.waiting = true;
    newcomer.donor = running.request.id;
    return;
  }
}

// Lets those go on whose donor has read the shared prefix, or will not.
void BatchLoop::StartWaiting() {
  for (Running& running : running_) {
    if (!running.waiting) continue;
    const Running* donor = Find(running.donor);
    if (donor != nullptr && !donor->paused && donor->evaluated < running.request.cached_tokens) continue;
    running.waiting = false;
    running.evaluated = running.request.cached_tokens = PrepareCache(running.request);
  }
}

// Leaves exactly the cached prefix in the sequence; returns its length, 0 where the memory cannot be cut.
int32_t BatchLoop::PrepareCache(const GenerationRequest& request) {
  // At least one token has to be evaluated, since the logits of the last one are needed.
  const int32_t cached = std::min({request.cached_tokens, static_cast<int32_t>(request.tokens.size()) - 1,
                                   CachedLength(request.cached_sequence)});
  if (request.cached_sequence != request.sequence) {
    llama_memory_seq_rm(memory_, request.sequence, -1, -1);
    if (cached <= 0 || keeps_state_) return 0;  // a state holds all tokens up to its end, not a prefix
    llama_memory_seq_cp(memory_, request.cached_sequence, request.sequence, 0, cached);
    return cached;
  }
  if (cached > 0 && llama_memory_seq_rm(memory_, request.sequence, cached, -1)) return cached;
  llama_memory_seq_rm(memory_, request.sequence, -1, -1);
  return 0;
}

// How many positions from the beginning the cache holds of a sequence. JavaScript's picture may be a step
// behind.
int32_t BatchLoop::CachedLength(llama_seq_id sequence) const {
  if (!keeps_state_ && llama_memory_seq_pos_min(memory_, sequence) != 0) return 0;
  return llama_memory_seq_pos_max(memory_, sequence) + 1;
}

void BatchLoop::Cancel(uint32_t id) {
  for (auto position = running_.begin(); position != running_.end(); ++position) {
    if (position->request.id != id) continue;
    Finish(*position, FinishReason::cancelled);
    running_.erase(position);
    StartWaiting();  // now, before another command reuses the sequence
    return;
  }
}

void BatchLoop::CancelAll() {
  for (Running& running : running_) Finish(running, FinishReason::cancelled);
  running_.clear();
}

void BatchLoop::SetEvictable(std::vector<llama_seq_id> sequences) {
  evictable_ = std::move(sequences);
}

void BatchLoop::Step() {
  if (running_.empty()) return;
  ResumePaused();
  ComposeBatch();
  const int32_t status = Decode();
  if (status == 0) {
    SampleAll();
  } else if (status == 1) {
    MakeRoom();
  } else if (status != 2) {  // 2: aborted, because the context is being closed
    for (Running& running : running_) {
      if (running.in_batch == 0) continue;
      Fail(running, "DECODE_FAILED",
           "llama.cpp could not evaluate the batch (status " + std::to_string(status) +
               "). If this persists, load the model again; please report it with the log.");
    }
    for (auto position = running_.begin(); position != running_.end();) {
      auto next = std::next(position);
      if (position->in_batch > 0) running_.erase(position);
      position = next;
    }
  }
  StartWaiting();
}

// First the next token of every sequence that generates; then prompts share the rest of the batch, shortest
// first, so that a short one never waits for a long one.
void BatchLoop::ComposeBatch() {
  batch_.n_tokens = 0;
  std::vector<Running*> prefilling;
  for (Running& running : running_) {
    running.in_batch = 0;
    running.output_index = -1;
    if (!running.Active()) continue;
    if (running.Remaining() == 1) {
      AddToBatch(running, 1);
    } else {
      prefilling.push_back(&running);
    }
  }
  std::stable_sort(prefilling.begin(), prefilling.end(),
                   [](const Running* a, const Running* b) { return a->Remaining() < b->Remaining(); });
  auto waiting = static_cast<int32_t>(prefilling.size());
  for (Running* running : prefilling) {
    const int32_t room = batch_capacity_ - batch_.n_tokens;
    const int32_t share = std::max(1, room / waiting--);
    AddToBatch(*running, std::min({running->Remaining(), share, room}));
  }
}

void BatchLoop::AddToBatch(Running& running, int32_t count) {
  if (batch_.n_tokens + count > batch_capacity_) return;
  for (int32_t i = 0; i < count; i++) {
    const int32_t at = batch_.n_tokens++;
    const int32_t position = running.evaluated + i;
    batch_.token[at] = running.request.tokens[position];
    batch_.pos[at] = position;
    batch_.n_seq_id[at] = 1;
    batch_.seq_id[at][0] = running.request.sequence;
    batch_.logits[at] = 0;
  }
  running.in_batch = count;
  if (count > 0 && count == running.Remaining()) {
    running.output_index = batch_.n_tokens - 1;
    batch_.logits[running.output_index] = 1;
  }
}

int32_t BatchLoop::Decode() {
  if (batch_.n_tokens == 0) return 0;
  try {
    return llama_decode(context_, batch_);
  } catch (const std::exception&) {
    return -2;  // reserving compute buffers may throw; the same as a failed allocation
  }
}

void BatchLoop::SampleAll() {
  for (auto position = running_.begin(); position != running_.end();) {
    auto next = std::next(position);
    Running& running = *position;
    running.evaluated += running.in_batch;
    bool finished = false;
    if (running.output_index >= 0) {
      try {
        finished = !Advance(running);
      } catch (const std::exception& error) {
        Fail(running, "DECODE_FAILED", error.what());
        finished = true;
      }
    }
    if (finished) running_.erase(position);
    position = next;
  }
}

bool BatchLoop::Advance(Running& running) {
  const llama_token token = running.sampler->Sample(context_, running.output_index);
  running.last_token = Clock::now();
  if (running.sampled++ == 0) running.first_token = running.last_token;
  if (llama_vocab_is_eog(model_->vocabulary, token)) {
    Finish(running, FinishReason::stop);
    return false;
  }
  running.sampler->Accept(token, true);
  running.request.tokens.push_back(token);
  running.unreported.push_back(token);

  std::string text = running.text.Append(model_->Piece(token, false));
  const bool stopped = running.text.Stopped() >= 0;
  if (!text.empty()) {
    GenerationEvent& event = EventOf(running);
    event.text += text;
    event.tokens.insert(event.tokens.end(), running.unreported.begin(), running.unreported.end());
    running.unreported.clear();
  }
  if (stopped) {
    Finish(running, FinishReason::stop);
    return false;
  }
  const bool enough = running.request.max_tokens >= 0 && running.Generated() >= running.request.max_tokens;
  if (enough || static_cast<int32_t>(running.request.tokens.size()) > context_size_) {
    Finish(running, FinishReason::length);
    return false;
  }
  return true;
}

// Gives up the cache of a sequence that no generation uses: the first of JavaScript's list, or one that
// JavaScript has not heard of yet, such as that of a generation which ended in the last step.
bool BatchLoop::EvictIdleSequence() {
  llama_seq_id victim = -1;
  if (!evictable_.empty()) {
    victim = evictable_.front();
    evictable_.erase(evictable_.begin());
  }
  for (llama_seq_id sequence = 0; victim < 0 && sequence < sequence_count_; sequence++) {
    const bool used = std::any_of(running_.begin(), running_.end(), [&](const Running& running) {
      return running.request.sequence == sequence;
    });
    if (!used && llama_memory_seq_pos_max(memory_, sequence) >= 0) victim = sequence;
  }
  if (victim < 0) return false;
  llama_memory_seq_rm(memory_, victim, -1, -1);
  events_.evicted.push_back(victim);
  room_freed_ = true;
  return true;
}

// The KV cache is full. Give up an idle sequence's cache; else pause the newest generation, which is computed
// again later; a generation that is alone has reached the end of its context.
void BatchLoop::MakeRoom() {
  if (EvictIdleSequence()) return;
  const auto active =
      std::count_if(running_.begin(), running_.end(), [](const Running& r) { return r.Active(); });
  auto newest = std::find_if(running_.rbegin(), running_.rend(), [](const Running& r) { return r.Active(); });
  if (newest == running_.rend()) return;
  if (active > 1) {
    llama_memory_seq_rm(memory_, newest->request.sequence, -1, -1);
    newest->evaluated = 0;
    newest->paused = true;
    room_freed_ = false;
    return;
  }
  if (newest->Generated() > 0) {
    Finish(*newest, FinishReason::length);
  } else {
    Fail(*newest, "CONTEXT_FULL",
         "The KV cache has no room for a prompt of " + std::to_string(newest->prompt_tokens) +
             " tokens. Load the model with a larger contextSize or shorten the prompt.");
  }
  running_.erase(std::prev(newest.base()));
}

// Paused generations go on, oldest first, when room was freed, for all their tokens and some more.
void BatchLoop::ResumePaused() {
  const bool all_paused =
      std::all_of(running_.begin(), running_.end(), [](const Running& r) { return !r.Active(); });
  if (!room_freed_ && !all_paused) return;
  int64_t used = 0;
  for (const Running& running : running_) {
    if (!running.paused) used += static_cast<int64_t>(running.request.tokens.size());
  }
  for (Running& running : running_) {
    if (!running.paused) continue;
    const int64_t needed = static_cast<int64_t>(running.request.tokens.size()) + batch_capacity_ / 4;
    if (used > 0 && used + needed > context_size_) return;
    running.paused = false;
    used += needed;
  }
}

void BatchLoop::Finish(Running& running, FinishReason reason) {
  room_freed_ = true;  // its cache may be given up now
  const Clock::time_point now = Clock::now();
  GenerationEvent& event = EventOf(running);
  event.text += running.text.Flush();
  event.tokens.insert(event.tokens.end(), running.unreported.begin(), running.unreported.end());
  event.finished = true;
  event.reason = reason;
  event.stop_string = running.text.Stopped();
  event.prompt_tokens = running.prompt_tokens;
  event.cached_tokens = running.request.cached_tokens;
  event.completion_tokens = running.Generated();
  event.decode_steps = std::max(0, running.sampled - 1);
  event.resident_tokens = running.evaluated;
  event.queue_ms = Milliseconds(running.request.submitted, running.started);
  event.total_ms = Milliseconds(running.request.submitted, now);
  event.prompt_ms = Milliseconds(running.started, running.first_token);
  event.first_token_ms =
      running.sampled > 0 ? Milliseconds(running.request.submitted, running.first_token) : 0;
  event.completion_ms = Milliseconds(running.first_token, running.last_token);
}

void BatchLoop::Fail(Running& running, const char* code, const std::string& message) {
  llama_memory_seq_rm(memory_, running.request.sequence, -1, -1);
  running.evaluated = 0;
  Finish(running, FinishReason::failed);
  GenerationEvent& event = EventOf(running);
  event.error_code = code;
  event.error_message = message;
}

GenerationEvent& BatchLoop::EventOf(const Running& running) {
  for (GenerationEvent& event : events_.generations) {
    if (event.id == running.request.id) return event;
  }
  GenerationEvent event;
  event.id = running.request.id;
  events_.generations.push_back(std::move(event));
  return events_.generations.back();
}

StepEvents BatchLoop::TakeEvents() {
  return std::exchange(events_, StepEvents{});
}
