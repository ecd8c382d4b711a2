// What a quantization answers to while llama.cpp does it, which has no way to ask how far it is or to stop
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <utility>

// Ends the work of a quantization that was cancelled; llama.cpp turns it into an ordinary failure.
class QuantizationStopped : public std::runtime_error {
 public:
  QuantizationStopped() : std::runtime_error("stopped") {}
};

// One call of llama_model_quantize. The threads that it starts belong to the job of the one that started
// them.
class QuantizationJob {
 public:
  // `on_advance` is called on any of its threads, with the weights done since the last call.
  QuantizationJob(const std::atomic<bool>& cancelled, int threads, std::function<void(int64_t)> on_advance)
      : cancelled_(cancelled), threads_(threads), on_advance_(std::move(on_advance)) {}
  QuantizationJob(const QuantizationJob&) = delete;
  QuantizationJob& operator=(const QuantizationJob&) = delete;

  // That of this thread, or null: then llama.cpp does as it always does.
  static QuantizationJob* Current() { return current; }

  // Makes a job that of this thread, or none.
  class Scope {
   public:
    explicit Scope(QuantizationJob* job) : before_(std::exchange(current, job)) {}
    ~Scope() { current = before_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    QuantizationJob* before_;
  };

  // How many threads it was given.
  int Threads() const { return threads_; }

  // True once it makes no sense to go on.
  bool IsStopped() const { return cancelled_.load(std::memory_order_relaxed) || failed_; }
  void StopIfCancelled() const {
    if (cancelled_.load(std::memory_order_relaxed)) throw QuantizationStopped();
  }
  void Advance(int64_t weights) { on_advance_(weights); }

  // The weights of a tensor could not be quantized; its other threads stop too.
  void Fail() { failed_ = true; }
  bool HasFailed() const { return failed_; }

  // The system refused to open or to write the output, for this reason (an errno).
  void FailToWrite(int error) {
    write_error_ = error;
    throw std::runtime_error("the output could not be written");
  }
  int WriteError() const { return write_error_; }

 private:
  static inline thread_local QuantizationJob* current = nullptr;

  const std::atomic<bool>& cancelled_;
  int threads_;
  std::function<void(int64_t)> on_advance_;
  std::atomic<bool> failed_{false};
  int write_error_ = 0;
};

// A failed assertion of llama.cpp, where it can be an exception.
class AssertionFailed : public std::runtime_error {
 public:
  explicit AssertionFailed(const char* message) : std::runtime_error(message) {}
};
