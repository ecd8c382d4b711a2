// What a template or a grammar may cost. llama.cpp's engines for both have no limits of their own, and native
// code cannot be interrupted from outside: a loop in a loop runs for minutes, a macro that calls itself
// overflows the stack, a text that is doubled sixty times takes all memory, an ambiguous grammar is followed
// in a million ways at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

// Counts from its creation to its destruction what an engine does on this thread. Inside of another one it
// has no limits of its own.
class WorkBudget {
 public:
  // `most_bytes`: copied or created, all together.
  WorkBudget(std::chrono::milliseconds longest, size_t most_bytes)
      : stack_(StackPosition()),
        end_(Clock::now() + longest),
        most_bytes_(most_bytes),
        active_(current == nullptr ? this : current) {
    current = active_;
  }
  ~WorkBudget() {
    if (active_ == this) current = nullptr;
  }
  WorkBudget(const WorkBudget&) = delete;
  WorkBudget& operator=(const WorkBudget&) = delete;

  // Why it is spent; null while it is not. Some of llama.cpp's code catches what its engines throw.
  const char* Reason() const { return active_->reason_; }

  // Called by the engines, see cmake/*-budget.h. Throws once the budget is spent, and at each call from then
  // on.
  static void Spend(size_t bytes) {
    if (current != nullptr) current->Count(bytes);
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Of the 64 MiB that the thread has: what is left is for freeing nested values.
  static constexpr uintptr_t deepest_stack = uintptr_t{24} << 20;
  static constexpr uint32_t steps_between_looks = 16;

  void Count(size_t bytes) {
    bytes_ += bytes;
    const uintptr_t position = StackPosition();
    const uintptr_t depth = position < stack_ ? stack_ - position : position - stack_;
    if (bytes_ > most_bytes_) reason_ = "it needs too much memory";
    if (depth > deepest_stack) reason_ = "it calls itself, or holds values in values, too deep";
    const bool looks = ++steps_ % steps_between_looks == 0;
    if (looks && Clock::now() > end_) reason_ = "it takes seconds, and probably does not end";
    if (reason_ != nullptr) throw std::runtime_error(reason_);
  }

  static uintptr_t StackPosition() {
#if defined(_MSC_VER)
    return reinterpret_cast<uintptr_t>(_AddressOfReturnAddress());
#else
    return reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
#endif
  }

  static inline thread_local WorkBudget* current = nullptr;

  uintptr_t stack_;
  Clock::time_point end_;
  size_t most_bytes_;
  WorkBudget* active_;
  size_t bytes_ = 0;
  uint32_t steps_ = 0;
  const char* reason_ = nullptr;
};
