// Included before the source of llama.cpp's quantization, which tells no progress, cannot be cancelled, and hears of a
// full disk only by chance: makes it do its work in a QuantizationJob, where the thread that calls it has one. Three
// names are replaced, in that file's own text only: every header that it includes comes first.
//
// - ggml_quantize_chunk: the work itself, in pieces of a few milliseconds, between which it can be stopped. The rows of
//   a tensor are quantized independently of each other, so smaller pieces give the same bytes.
// - std::thread: what it starts belongs to the job of the thread that started it.
// - std::ofstream: writes on a thread of its own, and keeps the reason why the system refuses it. On Windows it takes
//   the path as the UTF-8 that it is.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../binding/background_writer.h"
#include "../binding/quantization_job.h"
#include "llama-ext.h"
#include "llama-impl.h"
#include "llama-model-loader.h"
#include "llama-model.h"
#include "llama.h"

class QuantizationThread : public std::thread {
 public:
  QuantizationThread() = default;
  QuantizationThread(QuantizationThread&&) = default;
  QuantizationThread& operator=(QuantizationThread&&) = default;
  template <typename Body, typename... Arguments,
            typename = std::enable_if_t<!std::is_same_v<std::decay_t<Body>, QuantizationThread>>>
  explicit QuantizationThread(Body&& body, Arguments&&... arguments)
      : std::thread(
            [job = QuantizationJob::Current()](auto work, auto... values) {
              const QuantizationJob::Scope scope(job);
              try {
                work(values...);
              } catch (const std::exception&) {
                job->Fail();
              }
            },
            std::forward<Body>(body), std::forward<Arguments>(arguments)...) {}
};

class QuantizationOutput : public std::ofstream {
 public:
  QuantizationOutput() = default;
  QuantizationOutput(const std::string& path, std::ios::openmode mode)
      : std::ofstream(std::filesystem::u8path(path), mode), path_(path) {
    QuantizationJob* job = QuantizationJob::Current();
    if (job != nullptr && !is_open()) job->FailToWrite(errno);
  }

  QuantizationOutput& write(const char* data, std::streamsize size) {
    QuantizationJob* job = QuantizationJob::Current();
    if (job == nullptr) {
      std::ofstream::write(data, size);
      return *this;
    }
    if (size == 1 && *data == 0) {  // room for the header comes byte by byte
      zeros_++;
      return *this;
    }
    WriteZeros(*job);
    for (std::streamsize done = 0; done < size; done += longest_piece) {
      job->StopIfCancelled();
      Hand(*job, data + done, std::min(longest_piece, size - done));
      job->Advance(0);
    }
    return *this;
  }

  QuantizationOutput& seekp(pos_type position) {
    QuantizationJob* job = QuantizationJob::Current();
    if (job != nullptr) EndWriting(*job);
    std::ofstream::seekp(position);
    return *this;
  }

  void close() {
    QuantizationJob* job = QuantizationJob::Current();
    if (job == nullptr) {
      std::ofstream::close();
      return;
    }
    EndWriting(*job);
    errno = 0;
    exceptions(std::ios::goodbit);
    std::ofstream::close();
    if (!good()) job->FailToWrite(errno);
  }

 private:
  static constexpr std::streamsize longest_piece = 8 << 20;

  void Hand(QuantizationJob& job, const char* data, std::streamsize size) {
    if (writer_ == nullptr) writer_ = std::make_unique<BackgroundWriter>(*this, path_);
    if (!writer_->Write(data, static_cast<size_t>(size))) job.FailToWrite(writer_->Error());
  }

  void WriteZeros(QuantizationJob& job) {
    const std::vector<char> zeros(std::exchange(zeros_, 0));
    if (!zeros.empty()) Hand(job, zeros.data(), static_cast<std::streamsize>(zeros.size()));
  }

  // What is still to be written is written now, and a refusal would end in an exception without its reason.
  void EndWriting(QuantizationJob& job) {
    WriteZeros(job);
    if (writer_ != nullptr && !writer_->Drain()) job.FailToWrite(writer_->Error());
    writer_.reset();
    errno = 0;
    if (!flush().good()) job.FailToWrite(errno);
  }

  std::string path_;
  size_t zeros_ = 0;  // not written yet
  std::unique_ptr<BackgroundWriter> writer_;  // its thread ends before the stream does
};

// Types of three bits and less choose from tables, which are made once in a process and take seconds. That cannot be
// stopped, but need not be waited for: it goes on by itself, for the next quantization. False if the job is stopped.
inline bool await_tables(ggml_type type, QuantizationJob& job) {
  static std::mutex mutex;
  static std::map<ggml_type, std::shared_future<void>> tables;
  std::shared_future<void> made;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    std::shared_future<void>& known = tables[type];
    if (!known.valid()) {
      auto promise = std::make_shared<std::promise<void>>();
      std::thread([promise, type] {
        ggml_quantize_init(type);
        promise->set_value();
      }).detach();
      known = promise->get_future().share();
    }
    made = known;
  }
  while (made.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
    if (job.IsStopped()) return false;
    job.Advance(0);
  }
  return true;
}

inline bool has_tables(ggml_type type) {
  switch (type) {
    case GGML_TYPE_IQ3_S:
    case GGML_TYPE_IQ3_XXS:
    case GGML_TYPE_IQ2_S:
    case GGML_TYPE_IQ2_XS:
    case GGML_TYPE_IQ2_XXS:
    case GGML_TYPE_IQ1_M:
    case GGML_TYPE_IQ1_S:
      return true;
    default:
      return false;
  }
}

// As ggml_quantize_chunk. What a job that is stopped leaves unwritten is never read.
inline size_t quantize_rows_in_job(ggml_type type, const float* source, void* target, int64_t start, int64_t rows,
                                   int64_t row_length, const float* importance) {
  QuantizationJob* job = QuantizationJob::Current();
  if (job == nullptr) return ggml_quantize_chunk(type, source, target, start, rows, row_length, importance);
  constexpr int64_t weights_between_looks = 32 * 512;
  const int64_t step = std::max<int64_t>(1, weights_between_looks / std::max<int64_t>(1, row_length));
  const size_t row_bytes = ggml_row_size(type, row_length);
  auto* bytes = static_cast<char*>(target);
  for (int64_t row = 0; row < rows && !job->IsStopped(); row += step) {
    const int64_t count = std::min(step, rows - row);
    try {
      if (has_tables(type) && !await_tables(type, *job)) break;
      ggml_quantize_chunk(type, source + row * row_length, bytes + row * row_bytes, start, count, row_length, importance);
    } catch (const std::exception&) {
      job->Fail();  // other threads still run, so that nothing may be thrown from here
      break;
    }
    job->Advance(count * row_length);
  }
  return rows * row_bytes;
}

inline bool validate_row_data_in_job(ggml_type type, const void* data, size_t size) {
  QuantizationJob* job = QuantizationJob::Current();
  if (job != nullptr && job->IsStopped()) return false;
  return ggml_validate_row_data(type, data, size);
}

namespace std {
using ::QuantizationOutput;
using ::QuantizationThread;
}  // namespace std

#define ggml_quantize_chunk quantize_rows_in_job
#define ggml_validate_row_data validate_row_data_in_job
#define ofstream QuantizationOutput
#define thread QuantizationThread
