// What belongs to one Node.js environment (the main thread or one worker thread): its queue, threads and
// contexts.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "js_queue.h"
#include "node_api.h"
#include "task_runner.h"

class Context;

class Environment {
 public:
  explicit Environment(Napi::Env env);

  static Environment& Of(Napi::Env env);

  // Ends all work and all threads. Called when the environment is torn down or the process exits; idempotent.
  // What cannot be interrupted, such as an endless chat template, is left behind after two seconds: it owns
  // all that it may still touch.
  void Shutdown();

  // A flag that cancels a long task; set for all of them at shutdown.
  std::shared_ptr<std::atomic<bool>> NewCancelFlag();

  Napi::FunctionReference create_error;  // lib/errors.ts createError(code, message)
  std::shared_ptr<JsQueue> queue;
  TaskRunner tasks;

  struct ContextEntry {
    std::weak_ptr<Context> context;
    Napi::FunctionReference on_events;
  };
  std::unordered_map<uint32_t, ContextEntry> contexts;  // by Context::id; open ones only

 private:
  std::vector<std::weak_ptr<std::atomic<bool>>> cancel_flags_;
  bool shut_down_ = false;
};
