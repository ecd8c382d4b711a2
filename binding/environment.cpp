#include "environment.h"

#include <algorithm>

#include "context.h"

namespace {
constexpr auto longest_shutdown = std::chrono::seconds(2);
}

Environment::Environment(Napi::Env env) : queue(std::make_shared<JsQueue>(env)) {}

Environment& Environment::Of(Napi::Env env) {
  return *env.GetInstanceData<Environment>();
}

std::shared_ptr<std::atomic<bool>> Environment::NewCancelFlag() {
  cancel_flags_.erase(std::remove_if(cancel_flags_.begin(), cancel_flags_.end(),
                                     [](const auto& flag) { return flag.expired(); }),
                      cancel_flags_.end());
  auto flag = std::make_shared<std::atomic<bool>>(shut_down_);
  cancel_flags_.push_back(flag);
  return flag;
}

void Environment::Shutdown() {
  if (shut_down_) return;
  shut_down_ = true;
  const auto deadline = std::chrono::steady_clock::now() + longest_shutdown;

  for (const auto& weak : cancel_flags_) {
    if (auto flag = weak.lock()) flag->store(true);
  }
  for (auto& [id, entry] : contexts) {
    if (auto context = entry.context.lock()) context->RequestClose();
  }
  for (auto& [id, entry] : contexts) {
    if (auto context = entry.context.lock()) context->WaitClosed(deadline);
  }
  tasks.Shutdown(deadline);
  contexts.clear();
  queue->Close();
}
