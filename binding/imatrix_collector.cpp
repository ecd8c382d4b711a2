#include "imatrix_collector.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "errors.h"

namespace {

// Smaller batches go through other kernels, and the tool passes them over.
constexpr int64_t least_rows = 16;

// Copies of a tensor for devices are named after it: CUDA0#blk.0.attn_k.weight#0.
std::string TensorName(const char* name) {
  const char* begin = std::strchr(name, '#');
  if (begin == nullptr) return name;
  begin++;
  const char* end = std::strchr(begin, '#');
  return end == nullptr ? std::string(begin) : std::string(begin, end);
}

void AddSquares(const float* row, int64_t columns, float* sums) {
  for (int64_t i = 0; i < columns; i++) sums[i] += row[i] * row[i];
}

bool AllFinite(const float* values, size_t count) {
  return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

}  // namespace

bool ImatrixCollector::Callback(ggml_tensor* tensor, bool ask, void* collector) {
  auto* self = static_cast<ImatrixCollector*>(collector);
  return ask ? self->Wants(tensor) : self->Collect(tensor);
}

void ImatrixCollector::CheckValues() const {
  if (!problem_.empty()) throw Failure("DECODE_FAILED", problem_);
}

bool ImatrixCollector::Wants(const ggml_tensor* tensor) const {
  if (tensor->op == GGML_OP_MUL_MAT_ID) return tensor->src[1]->type == GGML_TYPE_F32;
  if (tensor->op != GGML_OP_MUL_MAT) return false;
  if (tensor->src[1]->ne[1] < least_rows || tensor->src[1]->type != GGML_TYPE_F32) return false;
  const std::string name = TensorName(tensor->src[0]->name);
  return name.compare(0, 4, "blk.") == 0 || (with_output_ && name == "output.weight");
}

// False breaks the evaluation off.
bool ImatrixCollector::Collect(const ggml_tensor* tensor) {
  const std::string name = TensorName(tensor->src[0]->name);
  const ggml_tensor* activations = tensor->src[1];
  if (activations->nb[0] != sizeof(float)) return Refuse("The activations of " + name + " are no rows.");
  const char* data = HostData(activations);
  return tensor->op == GGML_OP_MUL_MAT_ID ? AddExpertRows(tensor, name, data) : AddRows(tensor, name, data);
}

const char* ImatrixCollector::HostData(const ggml_tensor* tensor) {
  if (ggml_backend_buffer_is_host(tensor->buffer)) return static_cast<const char*>(tensor->data);
  copy_.resize(ggml_nbytes(tensor));
  ggml_backend_tensor_get(tensor, copy_.data(), 0, copy_.size());
  return copy_.data();
}

bool ImatrixCollector::AddRows(const ggml_tensor* tensor, const std::string& name, const char* data) {
  const ggml_tensor* weights = tensor->src[0];
  const ggml_tensor* activations = tensor->src[1];
  const int64_t columns = activations->ne[0];
  const int64_t matrices = weights->ne[2] * weights->ne[3];
  ImatrixEntry& entry = entries_[name];
  if (entry.sums.empty()) {
    entry.sums.resize(columns * matrices);
    entry.counts.resize(1);
  } else if (entry.sums.size() != static_cast<size_t>(columns * matrices)) {
    return Refuse("The tensor " + name + " was used with activations of two lengths.");
  }
  // Activations may have more dimensions than the weights, which then are used again for each.
  for (int64_t i3 = 0; i3 < activations->ne[3]; i3++) {
    for (int64_t i2 = 0; i2 < activations->ne[2]; i2++) {
      const int64_t matrix = (i3 % weights->ne[3]) * weights->ne[2] + i2 % weights->ne[2];
      float* sums = entry.sums.data() + matrix * columns;
      const char* rows = data + i2 * activations->nb[2] + i3 * activations->nb[3];
      for (int64_t i1 = 0; i1 < activations->ne[1]; i1++) {
        AddSquares(reinterpret_cast<const float*>(rows + i1 * activations->nb[1]), columns, sums);
      }
    }
  }
  for (int64_t& count : entry.counts) count += ggml_nrows(activations) / matrices;
  if (AllFinite(entry.sums.data(), entry.sums.size())) return true;
  return Refuse("Activations of " + name + " are no finite numbers. The model's file may be damaged.");
}

// weights: [columns, rows, experts]; activations: [columns, experts used or 1, tokens]; ids: [experts used,
// tokens], with gaps between its rows.
bool ImatrixCollector::AddExpertRows(const ggml_tensor* tensor, const std::string& name, const char* data) {
  const ggml_tensor* activations = tensor->src[1];
  const ggml_tensor* ids = tensor->src[2];
  const int64_t columns = activations->ne[0];
  const int64_t experts = tensor->src[0]->ne[2];
  if (ids->ne[1] != activations->ne[2] || activations->ne[3] != 1 || ids->type != GGML_TYPE_I32) {
    return Refuse("The experts of " + name + " are used in a way that is not known.");
  }
  ids_.resize(ggml_nbytes(ids));
  ggml_backend_tensor_get(ids, ids_.data(), 0, ids_.size());

  ImatrixEntry& entry = entries_[name];
  if (entry.sums.empty()) {
    entry.sums.resize(columns * experts);
    entry.counts.resize(experts);
  } else if (entry.sums.size() != static_cast<size_t>(columns * experts) ||
             entry.counts.size() != static_cast<size_t>(experts)) {
    return Refuse("The tensor " + name + " was used with activations of two lengths.");
  }
  for (int64_t used = 0; used < ids->ne[0]; used++) {
    for (int64_t token = 0; token < ids->ne[1]; token++) {
      int32_t expert;
      std::memcpy(&expert, ids_.data() + token * ids->nb[1] + used * ids->nb[0], sizeof(expert));
      if (expert < 0 || expert >= experts) return Refuse("An expert of " + name + " does not exist.");
      const char* row = data + (used % activations->ne[1]) * activations->nb[1] + token * activations->nb[2];
      AddSquares(reinterpret_cast<const float*>(row), columns, entry.sums.data() + expert * columns);
      entry.counts[expert]++;
    }
  }
  if (AllFinite(entry.sums.data(), entry.sums.size())) return true;
  return Refuse("Activations of " + name + " are no finite numbers. The model's file may be damaged.");
}

bool ImatrixCollector::Refuse(const std::string& problem) {
  if (problem_.empty()) problem_ = problem;
  return false;
}
