// Work in numbered parts, on several threads that last as long as the work.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

// Calls work(0) to work(count - 1), each once, on at most so many threads, of which the caller's is one.
// After a throw, parts that have not begun are left out, and the first exception comes back.
inline void RunInParallel(int64_t threads, int64_t count, const std::function<void(int64_t)>& work) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto take_parts = [&] {
    for (int64_t part = next++; part < count; part = next++) {
      try {
        work(part);
      } catch (...) {
        next = count;
        const std::lock_guard<std::mutex> lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  try {
    for (int64_t index = 1; index < std::min(threads, count); index++) others.emplace_back(take_parts);
  } catch (const std::system_error&) {
    // The system has no more threads: those that there are do it all.
  }
  take_parts();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}
