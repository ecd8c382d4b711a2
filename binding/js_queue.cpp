#include "js_queue.h"

#include <exception>
#include <memory>
#include <utility>

JsQueue::JsQueue(Napi::Env env) : env_(env) {
  Napi::Function nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  function_ = Napi::ThreadSafeFunction::New(env, nothing, "llama-native", 0, 1);
  function_.Unref(env);
}

bool JsQueue::Post(Closure closure) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) {
    // It comes from a thread that was left behind, and may hold references to JavaScript values. They can be
    // released on the JavaScript thread only, which is gone.
    static_cast<void>(std::make_unique<Closure>(std::move(closure)).release());
    return false;
  }
  closures_.push_back(std::move(closure));
  if (closures_.size() > 1) return true;  // a drain is already on its way
  std::shared_ptr<JsQueue> self = shared_from_this();
  function_.NonBlockingCall([self](Napi::Env env, Napi::Function) {
    // Node passes no environment when it is being torn down.
    if (env != nullptr) self->Drain(env);
  });
  return true;
}

void JsQueue::Drain(Napi::Env env) {
  std::vector<Closure> batch;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    batch.swap(closures_);
  }
  // Each closure settles something of its own: one that fails must not take the others with it.
  std::exception_ptr first_failure;
  for (const Closure& closure : batch) {
    Napi::HandleScope scope(env);
    try {
      closure(env);
    } catch (...) {
      if (!first_failure) first_failure = std::current_exception();
    }
  }
  if (first_failure) std::rethrow_exception(first_failure);
}

void JsQueue::Hold() {
  if (held_++ == 0 && !closed_) function_.Ref(env_);
}

void JsQueue::Release() {
  if (--held_ == 0 && !closed_) function_.Unref(env_);
}

void JsQueue::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    closed_ = true;
    closures_.clear();
  }
  function_.Abort();
}
