#include "task_runner.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <utility>

#include "large_stack_thread.h"

namespace {
constexpr auto idle_lifetime = std::chrono::seconds(5);
// Enough that loads, which take long, do not hold up the tokenizing of other models.
constexpr size_t most_threads = 16;
}  // namespace

struct TaskRunner::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable ended;
  std::deque<Task> tasks;
  size_t idle = 0;
  size_t threads = 0;
  bool stopping = false;
};

TaskRunner::TaskRunner() : state_(std::make_shared<State>()) {}

void TaskRunner::Post(Task task) {
  State& state = *state_;
  std::lock_guard<std::mutex> lock(state.mutex);
  if (state.stopping) return;
  state.tasks.push_back(std::move(task));
  if (state.tasks.size() <= state.idle) {
    state.wake.notify_one();
    return;
  }
  if (state.threads >= most_threads) return;  // one of those that work takes it next
  try {
    StartLargeStackThread([shared = state_] { Work(*shared); });
    state.threads++;
  } catch (const std::system_error&) {
    // The system has no more threads: those that work take it next. Without any, nobody ever would.
    if (state.threads == 0) {
      state.tasks.pop_back();
      throw;
    }
  }
}

void TaskRunner::Work(State& state) {
  std::unique_lock<std::mutex> lock(state.mutex);
  while (true) {
    state.idle++;
    const bool woken =
        state.wake.wait_for(lock, idle_lifetime, [&] { return state.stopping || !state.tasks.empty(); });
    state.idle--;
    if (state.tasks.empty() && (state.stopping || !woken)) break;
    Task task = std::move(state.tasks.front());
    state.tasks.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it captured is released without the lock
    lock.lock();
  }
  state.threads--;
  state.ended.notify_all();
}

void TaskRunner::Shutdown(std::chrono::steady_clock::time_point deadline) {
  std::deque<Task> dropped;  // released without the lock, on the thread that posted them
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->stopping = true;
  state_->wake.notify_all();
  state_->ended.wait_until(lock, deadline, [this] { return state_->threads == 0; });
  dropped.swap(state_->tasks);
  lock.unlock();
}
