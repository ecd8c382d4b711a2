// The part of the generation loop that deals with a full KV cache: what is given up, paused, shifted or
// ended.
#include <algorithm>
#include <iterator>

#include "batch_loop.h"

// Gives up the cache of a sequence that no generation uses: the first of JavaScript's list, or one that
// JavaScript has not heard of yet, such as that of a generation which ended in the last step.
bool BatchLoop::EvictIdleSequence() {
  EvictableSequence victim;
  if (!evictable_.empty()) {
    victim = evictable_.front();
    evictable_.erase(evictable_.begin());
  }
  for (llama_seq_id sequence = 0; victim.sequence < 0 && sequence < sequence_count_; sequence++) {
    const bool used = std::any_of(running_.begin(), running_.end(), [&](const Running& running) {
      return running.request.sequence == sequence;
    });
    if (!used && llama_memory_seq_pos_max(memory_, sequence) >= 0) victim.sequence = sequence;
  }
  if (victim.sequence < 0) return false;
  ReportEvicted(victim);
  ClearSequence(victim.sequence);
  metrics_.evictions++;
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
    ClearSequence(newest->request.sequence);
    metrics_.pauses++;
    newest->evaluated = 0;
    newest->paused = true;
    room_freed_ = false;
    return;
  }
  if (newest->generated > 0) {
    if (!OnContextFull(*newest)) running_.erase(std::prev(newest.base()));
    return;
  }
  Fail(*newest, "CONTEXT_FULL",
       "The KV cache has no room for a prompt of " + std::to_string(newest->prompt_tokens) +
           " tokens. Load the model with a larger contextSize or shorten the prompt.");
  running_.erase(std::prev(newest.base()));
}

bool BatchLoop::OnContextFull(Running& running) {
  switch (running.request.context_full) {
    case ContextFullPolicy::stop:
      Finish(running, FinishReason::length);
      return false;
    case ContextFullPolicy::error:
      Fail(running, "CONTEXT_FULL",
           "The context of " + std::to_string(context_size_) + " tokens is full after " +
               std::to_string(running.generated) +
               " generated ones. Load the model with a larger contextSize, or "
               "choose another contextFull policy than error.");
      return false;
    case ContextFullPolicy::shift:
      Shift(running);
      return true;
  }
  return false;
}

// Forgets the older half of the tokens behind those that are kept. Where the sequence shares no cells and the
// model's positions can be shifted, the rest moves down in place; else it is evaluated again.
void BatchLoop::Shift(Running& running) {
  std::vector<llama_token>& tokens = running.request.tokens;
  const auto total = static_cast<int32_t>(tokens.size());
  const int32_t keep = std::min(running.request.keep_tokens, total / 2);
  const int32_t discard = std::max(1, (total - keep) / 2);
  const llama_seq_id sequence = running.request.sequence;
  tokens.erase(tokens.begin() + keep, tokens.begin() + keep + discard);
  running.request.snapshots.clear();  // they were positions of the prompt as it was
  running.shifts++;
  metrics_.shifts++;

  // A sliding window may have lost what lies before it: it must then end behind the kept tokens.
  const bool window_intact = llama_memory_seq_pos_min(memory_, sequence) == 0 ||
                             (window_ > 0 && running.evaluated - discard - keep >= window_);
  const bool in_place = !shares_[sequence] && !keeps_state_ && running.evaluated >= keep + discard &&
                        window_intact && llama_memory_can_shift(memory_);
  if (in_place && llama_memory_seq_rm(memory_, sequence, keep, keep + discard)) {
    llama_memory_seq_add(memory_, sequence, keep + discard, -1, -discard);
    running.evaluated -= discard;
  } else if (const int32_t kept = UsablePrefix(sequence, keep);
             kept > 0 && llama_memory_seq_rm(memory_, sequence, kept, -1)) {
    running.evaluated = kept;
  } else {
    ClearSequence(sequence);
    running.evaluated = 0;
  }
}

void BatchLoop::ClearSequence(llama_seq_id sequence) {
  llama_memory_seq_rm(memory_, sequence, -1, -1);
  shares_[sequence] = false;
}

bool BatchLoop::CanResume() const {
  return room_freed_ ||
         std::all_of(running_.begin(), running_.end(), [](const Running& r) { return !r.Active(); });
}

// Paused generations go on, oldest first, when room was freed, for all their tokens and some more.
void BatchLoop::ResumePaused() {
  if (!CanResume()) return;
  int64_t used = 0;
  for (const Running& running : running_) {
    if (!running.paused) used += static_cast<int64_t>(running.request.tokens.size());
  }
  for (Running& running : running_) {
    if (!running.paused) continue;
    const int64_t needed = static_cast<int64_t>(running.request.tokens.size()) + batch_.capacity / 4;
    if (used > 0 && used + needed > context_size_) return;
    running.paused = false;
    used += needed;
  }
}
