// What a process needs that runs an engine for another one: its end when the other ends, and signs of life.
#pragma once

#include <atomic>
#include <cstdint>

#include "node_api.h"

// Goes up while something is evaluated or loaded. Written without a lock on the way of every operation of a
// graph: a step that is lost between two threads is no loss, since only standing still means anything.
class Progress {
 public:
  static void Advance() {
    counter_.store(counter_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static uint64_t Count() { return counter_.load(std::memory_order_relaxed); }

 private:
  static inline std::atomic<uint64_t> counter_{0};
};

// (lifeline, parent, answers) => void. Ends this process, at once and whatever it does, when the other end of
// the pipe `lifeline` closes; on Windows, when the process with the id `parent` ends. Messages go out through
// the descriptor `answers`, the log through standard error.
Napi::Value ServeParent(const Napi::CallbackInfo& info);
Napi::Value GetProgress(const Napi::CallbackInfo& info);  // () => number
