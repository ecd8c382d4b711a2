// Threads for work that must not block JavaScript and must not use libuv's small pool, which fs and dns
// share.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

class TaskRunner {
 public:
  using Task = std::function<void()>;

  // Any thread. Starts a thread when none is idle, up to a limit. Throws if the system has no thread for the
  // first one.
  void Post(Task task);

  // Waits for all tasks and ends all threads. Tasks posted later are dropped.
  void Shutdown();

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<Task> tasks_;
  size_t idle_ = 0;
  size_t threads_ = 0;
  bool stopping_ = false;
};
