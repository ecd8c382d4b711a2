// The threads that evaluate a context's batches on the processor. Between two batches they wait actively for
// a while, so small pieces of other work can be handed to them at the cost of some microseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "ggml-backend.h"
#include "ggml-cpp.h"
#include "ggml-cpu.h"

class CpuThreads {
 public:
  explicit CpuThreads(int32_t count);
  ~CpuThreads();
  CpuThreads(const CpuThreads&) = delete;
  CpuThreads& operator=(const CpuThreads&) = delete;

  // Null if this build of ggml has none: then it starts threads for every batch.
  ggml_threadpool_t Pool() const { return pool_; }
  // Calls work(0) to work(count - 1), on all threads at once, and waits for the end of all. `work` must not
  // throw. Only between batches.
  void Run(int32_t count, const std::function<void(int32_t)>& work);

 private:
  void CreateGraph();

  int32_t count_;
  ggml_backend_reg_t registry_;
  ggml_threadpool_t pool_ = nullptr;
  // A graph of one operation that calls the work.
  ggml_backend_ptr backend_;
  ggml_context_ptr tensors_;
  ggml_backend_buffer_ptr buffer_;
  ggml_cgraph* graph_ = nullptr;
  struct Work;
  std::unique_ptr<Work> work_;
};
