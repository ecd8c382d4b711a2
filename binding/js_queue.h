// The way back to the JavaScript thread: closures posted from any thread run there, in order.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "node_api.h"

class JsQueue : public std::enable_shared_from_this<JsQueue> {
 public:
  using Closure = std::function<void(Napi::Env)>;

  explicit JsQueue(Napi::Env env);

  // Any thread. Returns false after Close(): the closure then neither runs nor is it ever destroyed.
  bool Post(Closure closure);

  // JS thread. While anything is held, the process stays alive to see it finished.
  void Hold();
  void Release();

  // JS thread. Nothing runs afterwards.
  void Close();

 private:
  void Drain(Napi::Env env);

  std::mutex mutex_;
  std::vector<Closure> closures_;
  bool closed_ = false;
  int held_ = 0;
  Napi::ThreadSafeFunction function_;
  Napi::Env env_;
};
