#include "speculator.h"

#include <algorithm>
#include <string>
#include <utility>

#include "backend.h"
#include "errors.h"

namespace {

// A shorter prefix is read faster than it is looked for.
constexpr int32_t least_shared_tokens = 16;

int32_t CommonPrefix(const std::vector<llama_token>& a, const std::vector<llama_token>& b) {
  const auto end = a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  return static_cast<int32_t>(std::mismatch(a.begin(), end, b.begin()).first - a.begin());
}

}  // namespace

int32_t DraftPace::Next() {
  if (skip_ == 0) return limit_;
  skip_--;
  return 0;
}

void DraftPace::Learn(int32_t drafted, int32_t accepted) {
  if (drafted == 0) return;
  if (accepted == 0) {
    limit_ = std::max(1, limit_ / 2);
    Pause();
    pause_ = std::min(longest_pause, pause_ * 2);
    return;
  }
  pause_ = shortest_pause;
  limit_ = accepted == drafted ? std::min(most_, limit_ * 2) : accepted + 1;
}

Speculator::Speculator(const Model& target, llama_context* target_context, const SpeculationConfig& config,
                       llama_context_params params, ggml_threadpool_t threads)
    : vocabulary_size_(target.vocabulary_size), draft_model_(config.draft_model) {
  const auto sequences = static_cast<uint32_t>(llama_n_seq_max(target_context));
  if (draft_model_) {
    CreateDraftContext(target_context, params, threads);
    params_.types = {COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE};
    params_.draft.n_max = config.most_tokens;
    params_.draft.p_min = config.least_probability;
    params_.draft.ctx_tgt = target_context;
    params_.draft.ctx_dft = draft_context_.get();
    held_.resize(sequences);
  } else {
    params_.types = {COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE};
    params_.ngram_simple.size_n = static_cast<uint16_t>(config.ngram_size);
    // Shorter continuations than the search pattern are not proposed.
    params_.ngram_simple.size_m = static_cast<uint16_t>(std::max(config.most_tokens, config.ngram_size));
  }
  try {
    speculative_.reset(common_speculative_init(params_, sequences));
  } catch (const std::exception& error) {
    throw Failure("DRAFT_MODEL_MISMATCH",
                  std::string("Expected a draft model with the vocabulary of the model; ") + error.what() +
                      ". Take a smaller model of the same family.");
  }
}

void Speculator::CreateDraftContext(llama_context* target_context, llama_context_params params,
                                    ggml_threadpool_t threads) {
  const bool holds_state =
      llama_model_is_recurrent(draft_model_->model) || llama_model_is_hybrid(draft_model_->model);
  if (holds_state || llama_model_has_encoder(draft_model_->model)) {
    throw Failure("MODEL_UNSUPPORTED",
                  "Expected a draft model whose KV cache can be cut at any token; this one's cannot. Take a "
                  "transformer without recurrent layers and without an encoder.");
  }
  params.n_ctx = llama_n_ctx(target_context);
  params.n_batch = params.n_ubatch = llama_n_batch(target_context);
  params.n_seq_max = llama_n_seq_max(target_context);
  params.type_k = params.type_v = GGML_TYPE_F16;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
  params.swa_full = true;  // guesses are taken back
  LogCapture log;
  draft_context_.reset(llama_init_from_model(draft_model_->model, params));
  if (!draft_context_) throw Failure("CONTEXT_CREATE_FAILED", "Context of the draft model: " + log.Text());
  if (threads != nullptr) llama_attach_threadpool(draft_context_.get(), threads, nullptr);
  memory_ = llama_get_memory(draft_context_.get());
  batch_ = std::make_unique<Batch>(static_cast<int32_t>(llama_n_batch(draft_context_.get())));
}

void Speculator::Draft(std::vector<Request>& requests) {
  if (draft_model_ && !ReadAlong(requests)) return;
  bool drafting = false;
  for (Request& request : requests) {
    common_speculative_draft_params& params =
        common_speculative_get_draft_params(speculative_.get(), request.sequence);
    params.drafting = request.most > 0;
    if (!params.drafting) continue;
    drafting = true;
    params.n_max = request.most;
    params.id_last = request.tokens->back();
    request.tokens->pop_back();  // it is asked for apart from the tokens before it
    params.pos0 = static_cast<llama_pos>(request.tokens->size());
    params.prompt = request.tokens;
    params.result = request.draft;
  }
  if (drafting) common_speculative_draft(speculative_.get());
  for (Request& request : requests) {
    if (request.most == 0) continue;
    request.tokens->push_back(
        common_speculative_get_draft_params(speculative_.get(), request.sequence).id_last);
    if (draft_model_) NoteHeld(request);
    // The draft model's vocabulary may be a little larger than the target's.
    const auto unknown = std::find_if(request.draft->begin(), request.draft->end(), [&](llama_token token) {
      return token < 0 || token >= vocabulary_size_;
    });
    request.draft->erase(unknown, request.draft->end());
  }
}

void Speculator::Accept(llama_seq_id sequence, int32_t count) {
  common_speculative_accept(speculative_.get(), sequence, static_cast<uint16_t>(count));
}

// The draft model evaluates what it has not seen, at most one batch in all, so that a long prompt holds
// nobody up. Those that are not there yet guess nothing. False if nobody can guess.
bool Speculator::ReadAlong(std::vector<Request>& requests) {
  batch_->Clear();
  for (Request& request : requests) {
    const std::vector<llama_token>& tokens = *request.tokens;
    const int32_t known = KeepCommonPrefix(request.sequence, tokens);
    const auto end = static_cast<int32_t>(tokens.size()) - 1;
    const auto count = std::min(end - known, batch_->Room());
    const bool foreign = std::any_of(tokens.begin() + known, tokens.end(), [&](llama_token token) {
      return token >= draft_model_->vocabulary_size;
    });
    if (foreign || known + count < end) request.most = 0;
    if (foreign) continue;
    for (int32_t position = known; position < known + count; position++) {
      batch_->Add(tokens[position], position, request.sequence, false);
    }
    held_[request.sequence].assign(tokens.begin(), tokens.begin() + known + count);
  }
  if (batch_->Size() == 0) return true;
  const int32_t status = llama_decode(draft_context_.get(), batch_->Get());
  if (status == 0) return true;
  for (const Request& request : requests) KeepCommonPrefix(request.sequence, *request.tokens);
  if (status == 1) MakeRoom(requests);
  return false;
}

// Cuts off what the draft context holds of a sequence beyond its common beginning with `tokens`, the last one
// apart; returns how many are left.
int32_t Speculator::KeepCommonPrefix(llama_seq_id sequence, const std::vector<llama_token>& tokens) {
  std::vector<llama_token>& held = held_[sequence];
  const auto stored = static_cast<size_t>(llama_memory_seq_pos_max(memory_, sequence) + 1);
  if (held.size() > stored) held.resize(stored);
  if (held.empty()) SharePrefix(sequence, tokens);
  const int32_t known = std::min(CommonPrefix(held, tokens), static_cast<int32_t>(tokens.size()) - 1);
  if (static_cast<size_t>(known) < std::max(held.size(), stored)) {
    llama_memory_seq_rm(memory_, sequence, known, -1);
    held.resize(known);
  }
  return known;
}

void Speculator::SharePrefix(llama_seq_id sequence, const std::vector<llama_token>& tokens) {
  llama_memory_seq_rm(memory_, sequence, -1, -1);
  int32_t longest = 0;
  llama_seq_id holder = -1;
  for (llama_seq_id other = 0; other < static_cast<llama_seq_id>(held_.size()); other++) {
    const int32_t common =
        std::min(CommonPrefix(held_[other], tokens), llama_memory_seq_pos_max(memory_, other) + 1);
    if (common <= longest) continue;
    longest = common;
    holder = other;
  }
  if (longest < least_shared_tokens) return;
  llama_memory_seq_cp(memory_, holder, sequence, 0, longest);
  held_[sequence].assign(tokens.begin(), tokens.begin() + longest);
}

// Forgets what generations that are over left behind.
void Speculator::MakeRoom(const std::vector<Request>& requests) {
  for (llama_seq_id sequence = 0; sequence < static_cast<llama_seq_id>(held_.size()); sequence++) {
    const bool used = std::any_of(requests.begin(), requests.end(), [sequence](const Request& request) {
      return request.sequence == sequence;
    });
    if (used) continue;
    llama_memory_seq_rm(memory_, sequence, -1, -1);
    held_[sequence].clear();
  }
}

// Drafting evaluates the last token and all guesses but the last one.
void Speculator::NoteHeld(const Request& request) {
  std::vector<llama_token>& held = held_[request.sequence];
  held = *request.tokens;
  held.insert(held.end(), request.draft->begin(), request.draft->end());
  const auto stored = static_cast<size_t>(llama_memory_seq_pos_max(memory_, request.sequence) + 1);
  held.resize(std::min(held.size(), stored));
}
