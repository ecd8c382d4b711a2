#include "value_writer.h"

#include <algorithm>

void JsValueWriter::Open(Napi::Object object) {
  Place(object);
  open_.push_back({object});
}

void JsValueWriter::Place(Napi::Value value) {
  if (open_.empty()) {
    result_ = value;
    return;
  }
  Container& container = open_.back();
  if (container.object.IsArray()) {
    container.object.Set(container.length++, value);
  } else {
    container.object.Set(key_, value);
  }
}

void JsValueWriter::Floats(const std::vector<float>& values) {
  auto array = Napi::Float32Array::New(env_, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  Place(array);
}
