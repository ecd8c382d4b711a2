// Included before the source of llama.cpp's model loader: the numbers of a model that is quantized are checked by all
// threads of the quantization, and not by one while the others wait. The name is replaced in that file's own text only:
// the header that declares it comes first.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "../binding/quantization_job.h"
#include "../binding/run_in_parallel.h"
#include "ggml.h"

// As ggml_validate_row_data, which looks at each block by itself.
inline bool validate_rows_in_job(ggml_type type, const void* data, size_t size) {
  const QuantizationJob* job = QuantizationJob::Current();
  const size_t piece = ggml_type_size(type) << 15;  // about a tenth of a millisecond
  const size_t pieces = size / piece;
  if (job == nullptr || pieces < 2) return ggml_validate_row_data(type, data, size);
  std::atomic<bool> is_valid{true};
  RunInParallel(job->Threads(), static_cast<int64_t>(pieces), [&](int64_t index) {
    const size_t begin = index * piece;
    const size_t end = index + 1 == static_cast<int64_t>(pieces) ? size : begin + piece;
    if (is_valid && !ggml_validate_row_data(type, static_cast<const char*>(data) + begin, end - begin)) is_valid = false;
  });
  return is_valid;
}

#define ggml_validate_row_data validate_rows_in_job
