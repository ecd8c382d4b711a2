#include "task_runner.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "large_stack_thread.h"

namespace {
constexpr auto idle_lifetime = std::chrono::seconds(5);
// Enough that loads, which take long, do not hold up the tokenizing of other models.
constexpr size_t most_threads = 16;
}  // namespace

void TaskRunner::Post(Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_) return;
  tasks_.push_back(std::move(task));
  if (tasks_.size() <= idle_) {
    wake_.notify_one();
    return;
  }
  if (threads_ >= most_threads) return;  // one of those that work takes it next
  try {
    StartLargeStackThread([this] { Work(); });  // Shutdown() waits for threads_ to reach zero
    threads_++;
  } catch (const std::system_error&) {
    // The system has no more threads: those that work take it next. Without any, nobody ever would.
    if (threads_ == 0) {
      tasks_.pop_back();
      throw;
    }
  }
}

void TaskRunner::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    idle_++;
    const bool woken = wake_.wait_for(lock, idle_lifetime, [this] { return stopping_ || !tasks_.empty(); });
    idle_--;
    if (tasks_.empty() && (stopping_ || !woken)) break;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it captured is released without the lock
    lock.lock();
  }
  threads_--;
  ended_.notify_all();
}

void TaskRunner::Shutdown() {
  std::unique_lock<std::mutex> lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  ended_.wait(lock, [this] { return threads_ == 0; });
}
