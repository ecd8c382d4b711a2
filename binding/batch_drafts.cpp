// The part of the generation loop that guesses tokens ahead and checks the guesses.
#include <algorithm>

#include "batch_loop.h"

void BatchLoop::Speculate(std::unique_ptr<Speculator> speculator, int32_t most_tokens) {
  speculator_ = std::move(speculator);
  most_draft_tokens_ = most_tokens;
}

// How many tokens may be guessed so that all of them could be kept: neither the limit of tokens nor the end
// of the context lies among them.
int32_t BatchLoop::MostDraftTokens(const Running& running) const {
  if (running.sampled == 0 || running.Remaining() != 1) return 0;  // the prompt is not read yet
  int32_t most = context_size_ - static_cast<int32_t>(running.request.tokens.size()) - 1;
  if (running.request.max_tokens >= 0) {
    most = std::min(most, running.request.max_tokens - running.generated - 1);
  }
  return std::max(0, most);
}

void BatchLoop::DraftAll() {
  std::vector<Speculator::Request> requests;
  for (Running& running : running_) {
    running.draft.clear();
    if (!running.Active() || !running.request.speculate || !CanChoose(running)) continue;
    const int32_t most = MostDraftTokens(running);
    requests.push_back({running.request.sequence, &running.request.tokens,
                        most > 0 ? std::min(most, running.pace.Next()) : 0, &running.draft});
  }
  if (requests.empty()) return;
  // Half of the batch is left to prompts.
  const int32_t share = batch_.capacity / 2 / static_cast<int32_t>(requests.size()) - 1;
  for (Speculator::Request& request : requests) request.most = std::max(0, std::min(request.most, share));
  try {
    speculator_->Draft(requests);
  } catch (const std::exception&) {
    DropDrafts();  // a generation needs no guesses to go on
  }
}

void BatchLoop::DropDrafts() {
  for (Running& running : running_) {
    if (!running.draft.empty()) running.pace.Pause();
    running.draft.clear();
  }
}

bool BatchLoop::AdvanceRow(Running& running, int32_t row) {
  float* logits = LogitsAt(context_, row);
  return Advance(running, logits, logits);
}

// Takes the next token, and goes on as long as the guesses were right: then their logits are those of the
// text.
bool BatchLoop::AdvanceAll(Running& running) {
  const std::vector<llama_token> draft = std::move(running.draft);
  running.draft.clear();
  const auto drafted = static_cast<int32_t>(draft.size());
  running.draft_tokens += drafted;
  int32_t accepted = 0;
  bool running_on = AdvanceRow(running, running.output_index);
  while (running_on && accepted < drafted && running.request.tokens.back() == draft[accepted]) {
    accepted++;
    running.evaluated++;
    running.accepted_draft_tokens++;
    running_on = AdvanceRow(running, running.output_index + accepted);
  }
  if (drafted == 0) return running_on;
  llama_memory_seq_rm(memory_, running.request.sequence, running.evaluated, -1);
  // In a nearly full cache the guesses may have taken cells that a sliding window, gone back, reaches again.
  if (UsablePrefix(running.request.sequence, running.evaluated) < running.evaluated) {
    ClearSequence(running.request.sequence);
    running.evaluated = 0;
  }
  running.pace.Learn(drafted, accepted);
  speculator_->Accept(running.request.sequence, accepted);
  return running_on;
}
