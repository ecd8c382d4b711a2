// The part of the generation loop that chooses the tokens of a step, several at once where that pays.
#include <algorithm>
#include <exception>
#include <utility>

#include "batch_loop.h"
#include "cpu_threads.h"

namespace {

// Handing work to the threads costs about 0.01 ms while they wait actively for the next batch. Where a GPU
// evaluates, they sleep, and would wait actively afterwards for nothing.
constexpr double worthwhile_ms = 0.1;
constexpr double worthwhile_beside_gpu_ms = 2;

// Of a moving average: old choices say little about new ones, since options differ.
constexpr double newest_share = 0.1;

bool HasGpu() {
  for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
    const auto type = ggml_backend_dev_type(ggml_backend_dev_get(i));
    if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) return true;
  }
  return false;
}

}  // namespace

// Any thread: it touches nothing but the generation's own. What goes wrong is part of the choice.
BatchLoop::Choice BatchLoop::Choose(const Running& running, float* logits, const float* model_logits) const {
  Choice choice;
  const Clock::time_point begin = Clock::now();
  try {
    choice.token = running.sampler->Sample(logits);
    const bool ends = llama_vocab_is_eog(model_->vocabulary, choice.token);
    if (running.request.log_probabilities >= 0 && !ends) {
      choice.log_probabilities =
          ReadLogProbabilities(*model_, model_logits, choice.token, running.request.log_probabilities);
    }
  } catch (...) {
    choice.error = std::current_exception();
  }
  choice.milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  return choice;
}

// The first token of each sequence of the step, on all threads, if choosing one after the other would take
// long.
void BatchLoop::ChooseAhead() {
  std::vector<Running*> ready;
  for (Running& running : running_) {
    if (running.output_index >= 0 && CanChoose(running)) ready.push_back(&running);
  }
  static const double worthwhile = HasGpu() ? worthwhile_beside_gpu_ms : worthwhile_ms;
  if (ready.size() < 2 || choice_ms_ * static_cast<double>(ready.size()) < worthwhile) return;
  std::vector<float*> rows;  // found here, since llama.cpp may rearrange its output when it is asked
  for (const Running* running : ready) rows.push_back(llama_get_logits_ith(context_, running->output_index));
  if (std::find(rows.begin(), rows.end(), nullptr) != rows.end()) return;  // it is reported one by one
  threads_.Run(static_cast<int32_t>(ready.size()),
               [&](int32_t i) { ready[i]->choice = Choose(*ready[i], rows[i], rows[i]); });
}

BatchLoop::Choice BatchLoop::TakeChoice(Running& running, float* logits, const float* model_logits) {
  Choice choice =
      running.choice ? *std::exchange(running.choice, std::nullopt) : Choose(running, logits, model_logits);
  choice_ms_ += newest_share * (choice.milliseconds - choice_ms_);
  if (choice.error) std::rethrow_exception(choice.error);
  return choice;
}
