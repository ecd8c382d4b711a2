// Collects an importance matrix: for each matrix of the model, the sums of the squares of what it is
// multiplied with, column by column. The same tensors, sums and counts as llama.cpp's tools/imatrix.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "ggml.h"

// Sums and counts of one tensor.
struct ImatrixEntry {
  std::vector<float> sums;      // of squared activations: columns, for each matrix of the tensor
  std::vector<int64_t> counts;  // of rows: one in all, or one for each expert
};

class ImatrixCollector {
 public:
  // `with_output`: the output matrix counts too, which quantization seldom uses.
  explicit ImatrixCollector(bool with_output) : with_output_(with_output) {}

  // The evaluation callback of a context; `collector` is one of these. Called on the thread that evaluates.
  static bool Callback(ggml_tensor* tensor, bool ask, void* collector);

  const std::map<std::string, ImatrixEntry>& Entries() const { return entries_; }
  // Throws DECODE_FAILED if a value that was collected is no number.
  void CheckValues() const;

 private:
  bool Wants(const ggml_tensor* tensor) const;
  bool Collect(const ggml_tensor* tensor);
  bool AddRows(const ggml_tensor* tensor, const std::string& name, const char* data);
  bool AddExpertRows(const ggml_tensor* tensor, const std::string& name, const char* data);
  bool Refuse(const std::string& problem);
  const char* HostData(const ggml_tensor* tensor);

  const bool with_output_;
  std::map<std::string, ImatrixEntry> entries_;
  std::string problem_;
  std::vector<char> copy_;  // of activations that lie on a device
  std::vector<char> ids_;
};
