// Threads for work that must not block JavaScript and must not use libuv's small pool, which fs and dns
// share.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

class TaskRunner {
 public:
  using Task = std::function<void()>;

  TaskRunner();

  // Any thread. Starts a thread when none is idle, up to a limit. Throws if the system has no thread for the
  // first one.
  void Post(Task task);

  // Waits for all tasks and ends all threads. Tasks posted later are dropped. At the deadline, tasks that
  // have not begun are dropped too, and those that run are left behind: they may go on after this object is
  // gone.
  void Shutdown(std::chrono::steady_clock::time_point deadline);

 private:
  struct State;

  static void Work(State& state);

  // Each thread has a share in it, so that one that is left behind finds it whenever it ends.
  std::shared_ptr<State> state_;
};
