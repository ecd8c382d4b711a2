// The part of the generation loop that keeps prefixes beyond the KV cache: what is saved before it is given
// up, snapshots on the way through a prompt, and how a generation begins from either.
#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "batch_loop.h"

namespace {

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

}  // namespace

// How much of the first `wanted` positions a sequence can go on from: all that it holds of them, or nothing.
// JavaScript's picture may be a step behind.
int32_t BatchLoop::UsablePrefix(llama_seq_id sequence, int32_t wanted) const {
  const int32_t length = std::min(wanted, llama_memory_seq_pos_max(memory_, sequence) + 1);
  if (keeps_state_) return length;
  // With a sliding window only as many positions as it reaches back are needed, and others may be gone.
  const int32_t first_needed = window_ > 0 ? std::max(0, length - window_) : 0;
  return llama_memory_seq_pos_min(memory_, sequence) <= first_needed ? length : 0;
}

// The state of a sequence, unless it is larger than JavaScript takes, together with what it has not taken
// yet: a JavaScript thread that is busy must not let states pile up.
SavedState BatchLoop::Save(llama_seq_id sequence) {
  const Clock::time_point begin = Clock::now();
  const size_t waiting = *unclaimed_bytes_;
  if (waiting >= state_limit_) return {};
  SavedState saved;
  try {
    saved.bytes = states_->Save(sequence, state_limit_ - waiting);
  } catch (const std::exception&) {
    return {};  // no memory for it: then it is evaluated again when it is needed
  }
  const size_t size = saved.bytes.size;
  if (size == 0) return {};
  *unclaimed_bytes_ += size;
  saved.claim =
      std::shared_ptr<void>(nullptr, [unclaimed = unclaimed_bytes_, size](void*) { *unclaimed -= size; });
  metrics_.states_saved++;
  metrics_.state_bytes_saved += size;
  metrics_.state_save_ms += MillisecondsSince(begin);
  return saved;
}

void BatchLoop::ReportEvicted(const EvictableSequence& victim) {
  EvictedSequence event{victim.sequence, victim.key, {}};
  if (victim.key > 0) event.state = Save(victim.sequence);
  events_.evicted.push_back(std::move(event));
  urgent_ = true;
}

SavedState BatchLoop::SavePrefix(llama_seq_id sequence, int32_t length) {
  const bool held = llama_memory_seq_pos_max(memory_, sequence) + 1 == length;
  return held ? Save(sequence) : SavedState{};
}

// Tokens that a batch may take of this generation before the next snapshot is due.
int32_t BatchLoop::Running::UntilSnapshot() const {
  for (size_t i = snapshots_taken; i < request.snapshots.size(); i++) {
    if (request.snapshots[i] > evaluated) return request.snapshots[i] - evaluated;
  }
  return std::numeric_limits<int32_t>::max();
}

// Saves the sequence where the generation has arrived at one of its snapshots. One that was passed before,
// and is passed again after a pause, is not taken twice.
void BatchLoop::TakeSnapshot(Running& running) {
  const std::vector<int32_t>& positions = running.request.snapshots;
  size_t& next = running.snapshots_taken;
  while (next < positions.size() && positions[next] < running.evaluated) next++;
  if (next == positions.size() || positions[next] != running.evaluated) return;
  next++;
  SavedState state = Save(running.request.sequence);
  if (state.bytes.size == 0) return;
  events_.snapshots.push_back({running.request.id, running.evaluated, std::move(state)});
}

// Begins from the saved state that came with the request, if one did. Whatever stands against it, the
// generation begins from what is resident instead, or from nothing.
bool BatchLoop::RestorePrefix(Running& running) {
  GenerationRequest& request = running.request;
  const StateBytes bytes = std::exchange(request.state, {});
  if (bytes.size == 0) return false;
  const Clock::time_point begin = Clock::now();
  int32_t positions = 0;
  try {
    positions = states_->Check(bytes);
  } catch (const std::exception&) {
    metrics_.states_refused++;
    events_.unrestored.push_back({request.id, true});
    return false;
  }
  if (!LoadState(request.sequence, bytes, positions)) {
    events_.unrestored.push_back({request.id, false});
    return false;
  }
  const int32_t wanted = std::min(request.state_tokens, static_cast<int32_t>(request.tokens.size()) - 1);
  const int32_t cached = UsablePrefix(request.sequence, wanted);
  const bool cut =
      cached > 0 && (cached == positions || llama_memory_seq_rm(memory_, request.sequence, cached, -1));
  if (!cut) {
    ClearSequence(request.sequence);
    return false;
  }
  running.evaluated = request.cached_tokens = cached;
  metrics_.states_restored++;
  metrics_.state_tokens_restored += cached;
  metrics_.state_restore_ms += MillisecondsSince(begin);
  return true;
}

// Makes room by giving up idle sequences, but only where that can be enough beside those that run.
bool BatchLoop::LoadState(llama_seq_id sequence, const StateBytes& bytes, int32_t positions) {
  int64_t used = positions;
  for (const Running& running : running_) {
    if (running.Active()) used += running.evaluated;
  }
  if (used > context_size_ && !llama_model_is_recurrent(model_->model)) return false;
  ClearSequence(sequence);
  while (!states_->Load(sequence, bytes)) {
    const bool lacks_room = window_ > 0 || HeldPositions() + positions > context_size_;
    if (!lacks_room || !EvictIdleSequence()) return false;
  }
  return true;
}

// How many cells the sequences may take up; shared ones are counted for each of them.
int64_t BatchLoop::HeldPositions() const {
  int64_t held = 0;
  for (llama_seq_id sequence = 0; sequence < sequence_count_; sequence++) {
    held += llama_memory_seq_pos_max(memory_, sequence) + 1;
  }
  return held;
}
