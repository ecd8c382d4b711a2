#include "batch_loop.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace {

constexpr auto event_interval = std::chrono::milliseconds(8);

double Milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

BatchLoop::BatchLoop(std::shared_ptr<Model> model, llama_context* context, CpuThreads& threads,
                     const SequenceStates* states, size_t state_limit)
    : model_(std::move(model)),
      context_(context),
      threads_(threads),
      memory_(llama_get_memory(context)),
      batch_(static_cast<int32_t>(llama_n_batch(context))),
      context_size_(static_cast<int32_t>(llama_n_ctx(context))),
      sequence_count_(static_cast<int32_t>(llama_n_seq_max(context))),
      shares_(llama_n_seq_max(context), false),
      keeps_state_(llama_model_is_recurrent(model_->model) || llama_model_is_hybrid(model_->model)),
      window_(llama_model_n_swa(model_->model)),
      states_(states),
      state_limit_(state_limit) {}

void LoopMetrics::CountStep(double milliseconds, int32_t rows) {
  if (rows == 0) return;
  steps++;
  batch_tokens += rows;
  step_ms += milliseconds;
  int bucket = 0;
  while (bucket < buckets - 1 && milliseconds > (1 << bucket)) bucket++;
  step_histogram[bucket]++;
}

void BatchLoop::Submit(GenerationRequest request) {
  const Clock::time_point started = Clock::now();
  try {
    std::unique_ptr<Sampler> sampler;
    if (!request.sampler_follows) sampler = Sampler::ForPrompt(model_, request.sampling, request.tokens);
    const auto prompt_tokens = static_cast<int32_t>(request.tokens.size());
    evictable_.erase(
        std::remove_if(evictable_.begin(), evictable_.end(),
                       [&](const EvictableSequence& idle) { return idle.sequence == request.sequence; }),
        evictable_.end());
    TextStream text(request.stop_strings);
    Running running{std::move(request), std::move(sampler), std::move(text), prompt_tokens};
    running.started = running.first_token = running.last_token = started;
    running.pace = DraftPace(most_draft_tokens_);
    if (!RestorePrefix(running)) {
      FindDonor(running);
      if (!running.waiting) running.evaluated = running.request.cached_tokens = PrepareCache(running.request);
    }
    running_.push_back(std::move(running));
  } catch (const std::exception& error) {
    ClearSequence(request.sequence);
    GenerationEvent event;
    event.id = request.id;
    event.finished = true;
    event.reason = FinishReason::failed;
    const auto* failure = dynamic_cast<const Failure*>(&error);
    event.error_code = failure != nullptr ? failure->code : "INVALID_ARGUMENT";
    event.error_message = error.what();
    events_.generations.push_back(std::move(event));
    urgent_ = true;
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
    ClearSequence(request.sequence);
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
  const int32_t wanted = std::min(request.cached_tokens, static_cast<int32_t>(request.tokens.size()) - 1);
  const int32_t cached = UsablePrefix(request.cached_sequence, wanted);
  if (request.cached_sequence != request.sequence) {
    ClearSequence(request.sequence);
    if (cached <= 0 || keeps_state_) return 0;  // a state holds all tokens up to its end, not a prefix
    llama_memory_seq_cp(memory_, request.cached_sequence, request.sequence, 0, cached);
    shares_[request.cached_sequence] = shares_[request.sequence] = true;
    return cached;
  }
  if (cached > 0 && llama_memory_seq_rm(memory_, request.sequence, cached, -1)) return cached;
  ClearSequence(request.sequence);
  return 0;
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

void BatchLoop::SetEvictable(std::vector<EvictableSequence> sequences) {
  evictable_ = std::move(sequences);
}

void BatchLoop::Step() {
  if (running_.empty()) return;
  ResumePaused();
  if (speculator_) DraftAll();
  ComposeBatch();
  const Clock::time_point begin = Clock::now();
  const int32_t status = Decode();
  if (status == 0) {
    SampleAll();
    metrics_.CountStep(Milliseconds(begin, Clock::now()), batch_.Size());
  } else if (status == 1) {
    DropDrafts();
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
  batch_.Clear();
  std::vector<Running*> prefilling;
  for (Running& running : running_) {
    running.in_batch = 0;
    running.output_index = -1;
    if (!running.Active() || running.Remaining() == 0) continue;
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
    const int32_t room = batch_.Room();
    const int32_t share = std::max(1, room / waiting--);
    AddToBatch(*running, std::min({running->Remaining(), share, room}));
  }
}

void BatchLoop::AddToBatch(Running& running, int32_t count) {
  const auto drafted = static_cast<int32_t>(running.draft.size());
  if (count + drafted > batch_.Room()) return;
  count = std::min(count, running.UntilSnapshot());
  const llama_seq_id sequence = running.request.sequence;
  const bool complete = count > 0 && count == running.Remaining();
  for (int32_t i = 0; i < count; i++) {
    const int32_t position = running.evaluated + i;
    const bool last = complete && i + 1 == count;
    const int32_t row = batch_.Add(running.request.tokens[position], position, sequence, last);
    if (last) running.output_index = row;
  }
  for (int32_t i = 0; i < drafted; i++) {
    batch_.Add(running.draft[i], running.evaluated + count + i, sequence, true);
  }
  running.in_batch = count;
}

int32_t BatchLoop::Decode() {
  if (batch_.Size() == 0) return 0;
  try {
    return llama_decode(context_, batch_.Get());
  } catch (const std::exception&) {
    return -2;  // reserving compute buffers may throw; the same as a failed allocation
  }
}

void BatchLoop::SampleAll() {
  for (Running& running : running_) {
    running.evaluated += running.in_batch;
    if (running.in_batch > 0) TakeSnapshot(running);
  }
  ChooseAhead();
  for (auto position = running_.begin(); position != running_.end();) {
    auto next = std::next(position);
    Running& running = *position;
    const bool has_logits = running.output_index >= 0 && !running.held;
    if (has_logits && !Guarded(running, [&] { return TakeLogits(running); })) running_.erase(position);
    position = next;
  }
}

bool BatchLoop::Advance(Running& running, float* logits, const float* model_logits) {
  Choice choice = TakeChoice(running, logits, model_logits);
  const llama_token token = choice.token;
  running.last_token = Clock::now();
  if (running.sampled++ == 0) {
    running.first_token = running.last_token;
    urgent_ = true;
  }
  if (llama_vocab_is_eog(model_->vocabulary, token)) {
    Finish(running, FinishReason::stop);
    return false;
  }
  running.sampler->Accept(token, true);
  running.request.tokens.push_back(token);
  running.generated++;
  running.unreported.push_back(token);
  if (choice.log_probabilities) {
    running.unreported_log_probabilities.push_back(std::move(*choice.log_probabilities));
  }

  const std::vector<llama_token>& visible = running.request.visible_tokens;
  const bool render_special = std::find(visible.begin(), visible.end(), token) != visible.end();
  std::string text = running.text.Append(model_->Piece(token, render_special));
  const bool stopped = running.text.Stopped() >= 0;
  if (!text.empty()) {
    GenerationEvent& event = EventOf(running);
    event.text += text;
    ReportTokens(running, event);
  }
  if (stopped) {
    Finish(running, FinishReason::stop);
    return false;
  }
  const bool enough = running.request.max_tokens >= 0 && running.generated >= running.request.max_tokens;
  if (enough) {
    Finish(running, FinishReason::length);
    return false;
  }
  return static_cast<int32_t>(running.request.tokens.size()) <= context_size_ || OnContextFull(running);
}

void BatchLoop::Finish(Running& running, FinishReason reason) {
  metrics_.prompt_tokens += running.prompt_tokens;
  metrics_.cached_tokens += running.request.cached_tokens;
  metrics_.completion_tokens += running.generated;
  metrics_.draft_tokens += running.draft_tokens;
  metrics_.accepted_draft_tokens += running.accepted_draft_tokens;
  room_freed_ = true;  // its cache may be given up now
  const Clock::time_point now = Clock::now();
  GenerationEvent& event = EventOf(running);
  event.text += running.text.Flush();
  ReportTokens(running, event);
  event.finished = true;
  urgent_ = true;
  event.reason = reason;
  event.stop_string = running.text.Stopped();
  event.prompt_tokens = running.prompt_tokens;
  event.cached_tokens = running.request.cached_tokens;
  event.completion_tokens = running.generated;
  event.decode_steps = std::max(0, running.sampled - 1);
  event.resident_tokens = running.shifts == 0 ? running.evaluated : 0;
  event.shifts = running.shifts;
  event.draft_tokens = running.draft_tokens;
  event.accepted_draft_tokens = running.accepted_draft_tokens;
  event.queue_ms = Milliseconds(running.request.submitted, running.started);
  event.total_ms = Milliseconds(running.request.submitted, now);
  event.prompt_ms = Milliseconds(running.started, running.first_token);
  event.first_token_ms =
      running.sampled > 0 ? Milliseconds(running.request.submitted, running.first_token) : 0;
  event.completion_ms = Milliseconds(running.first_token, running.last_token);
}

void BatchLoop::ReportTokens(Running& running, GenerationEvent& event) {
  event.tokens.insert(event.tokens.end(), running.unreported.begin(), running.unreported.end());
  running.unreported.clear();
  std::move(running.unreported_log_probabilities.begin(), running.unreported_log_probabilities.end(),
            std::back_inserter(event.log_probabilities));
  running.unreported_log_probabilities.clear();
}

void BatchLoop::Fail(Running& running, const char* code, const std::string& message) {
  ClearSequence(running.request.sequence);
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

bool BatchLoop::EventsDue() const {
  if (events_.empty()) return false;
  return urgent_ || !HasWork() || Clock::now() - last_taken_ >= event_interval;
}

StepEvents BatchLoop::TakeEvents() {
  urgent_ = false;
  last_taken_ = Clock::now();
  return std::exchange(events_, StepEvents{});
}
