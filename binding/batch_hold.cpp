// The part of the generation loop for sequences whose next token cannot be chosen yet: the sampler is still
// being made, or JavaScript changes the logits. Their row is copied, the others go on, and what comes later
// arrives as a command.
#include <algorithm>
#include <iterator>
#include <utility>

#include "batch_loop.h"

bool BatchLoop::CanChoose(const Running& running) {
  return running.sampler != nullptr && !running.request.processes_logits && !running.held;
}

// Chooses the next token from the batch's logits, or keeps them until it can. False once the generation has
// finished.
bool BatchLoop::TakeLogits(Running& running) {
  if (CanChoose(running)) return AdvanceAll(running);
  const float* logits = LogitsAt(context_, running.output_index);
  running.held = true;
  running.row.assign(logits, logits + model_->vocabulary_size);
  if (!running.request.processes_logits) return true;
  running.asked = true;
  events_.logits.push_back({running.request.id, running.request.tokens, running.row});
  urgent_ = true;
  return true;
}

BatchLoop::RunningList::iterator BatchLoop::Position(uint32_t id) {
  return std::find_if(running_.begin(), running_.end(),
                      [id](const Running& running) { return running.request.id == id; });
}

void BatchLoop::ProvideSampler(uint32_t id, std::unique_ptr<Sampler> sampler) {
  const auto position = Position(id);
  if (position == running_.end()) return;  // cancelled meanwhile
  position->sampler = std::move(sampler);
  Continue(position);
}

void BatchLoop::ProvideLogits(uint32_t id, std::vector<float> logits) {
  const auto position = Position(id);
  if (position == running_.end() || !position->asked) return;
  position->asked = false;
  position->processed = std::move(logits);
  Continue(position);
}

void BatchLoop::FailGeneration(uint32_t id, const char* code, const std::string& message) {
  const auto position = Position(id);
  if (position == running_.end()) return;
  Fail(*position, code, message);
  running_.erase(position);
  StartWaiting();
}

// Chooses the token of a held sequence, if everything for it is there.
void BatchLoop::Continue(RunningList::iterator position) {
  Running& running = *position;
  if (!running.held || running.asked || running.sampler == nullptr) return;
  running.held = false;
  std::vector<float>& row = running.request.processes_logits ? running.processed : running.row;
  const bool goes_on = Guarded(running, [&] { return Advance(running, row.data(), running.row.data()); });
  if (goes_on) return;
  running_.erase(position);
  StartWaiting();
}

// Whether a step would do anything: not while all sequences are held.
bool BatchLoop::HasWork() const {
  return std::any_of(running_.begin(), running_.end(), [this](const Running& running) {
    return running.paused ? CanResume() : !running.waiting && running.Remaining() > 0;
  });
}
