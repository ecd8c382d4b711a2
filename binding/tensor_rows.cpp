#include "tensor_rows.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "ggml.h"
#include "number_formats.h"
#include "promise_worker.h"
#include "run_in_parallel.h"

namespace {

// So many values are floats at a time: they stay in the fastest cache.
constexpr int64_t piece_length = tensor_piece_length;
// So many values are worth handing to another thread: it takes longer than a thread takes to begin.
constexpr int64_t part_length = 1 << 17;

struct Rows {
  const uint8_t* source;
  uint8_t* target;
  ggml_type source_type;
  ggml_type target_type;
  int64_t row_length;
  int64_t count;
  int64_t threads;
};

[[noreturn]] void Refuse(const std::string& expected) {
  throw Failure("INVALID_ARGUMENT", "Expected " + expected + ".");
}

bool IsPlain(ggml_type type) {
  return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
}

ggml_type ReadType(const Napi::Value& value, const char* name) {
  const auto type = static_cast<ggml_type>(ReadInteger(value, name, 0, GGML_TYPE_COUNT - 1));
  if (IsPlain(type) || ggml_is_quantized(type)) return type;
  Refuse("a type of floats or of blocks for " + std::string(name));
}

void ConvertPart(const Rows& rows, int64_t first, int64_t last) {
  std::vector<float> floats(piece_length);
  const size_t source_row = ggml_row_size(rows.source_type, rows.row_length);
  const size_t target_row = ggml_row_size(rows.target_type, rows.row_length);
  for (int64_t row = first; row < last; row++) {
    const uint8_t* source = rows.source + row * source_row;
    uint8_t* target = rows.target + row * target_row;
    for (int64_t done = 0; done < rows.row_length; done += piece_length) {
      const int64_t count = std::min(piece_length, rows.row_length - done);
      RowToFloats(rows.source_type, source + ggml_row_size(rows.source_type, done), floats.data(), count);
      FloatsToRow(rows.target_type, floats.data(), target + ggml_row_size(rows.target_type, done), count);
    }
  }
}

void Convert(const Rows& rows) {
  const int64_t part_rows = std::max<int64_t>(1, part_length / rows.row_length);
  RunInParallel(rows.threads, (rows.count + part_rows - 1) / part_rows, [&](int64_t part) {
    ConvertPart(rows, part * part_rows, std::min(rows.count, (part + 1) * part_rows));
  });
}

// Keeps a JavaScript value alive until work on another thread is done with it.
std::shared_ptr<Napi::Reference<Napi::Uint8Array>> Keep(const Napi::Uint8Array& bytes) {
  return std::make_shared<Napi::Reference<Napi::Uint8Array>>(Napi::Persistent(bytes));
}

Napi::Uint8Array ReadBytes(const Napi::Value& value, const char* name) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array) {
    return value.As<Napi::Uint8Array>();
  }
  Refuse("a Uint8Array for " + std::string(name));
}

}  // namespace

void RowToFloats(ggml_type type, const uint8_t* source, float* floats, int64_t count) {
  if (type == GGML_TYPE_F32) {
    std::memcpy(floats, source, count * sizeof(float));
    return;
  }
  if (IsPlain(type)) {
    uint16_t numbers[piece_length];  // the source may lie at an odd address
    std::memcpy(numbers, source, count * sizeof(uint16_t));
    if (type == GGML_TYPE_F16) {
      HalfToFloat(numbers, floats, count);
    } else {
      BrainFloatToFloat(numbers, floats, count);
    }
    return;
  }
  ggml_get_type_traits(type)->to_float(source, floats, count);
}

void FloatsToRow(ggml_type type, const float* floats, uint8_t* target, int64_t count) {
  if (type == GGML_TYPE_F32) {
    std::memcpy(target, floats, count * sizeof(float));
  } else if (IsPlain(type)) {
    uint16_t numbers[piece_length];
    if (type == GGML_TYPE_F16) {
      FloatToHalf(floats, numbers, count);
    } else {
      FloatToBrainFloat(floats, numbers, count);
    }
    std::memcpy(target, numbers, count * sizeof(uint16_t));
  } else if (type == GGML_TYPE_Q8_0) {
    FloatToQ8_0(floats, target, count);
  } else {
    ggml_quantize_chunk(type, floats, target, 0, 1, count, nullptr);
  }
}

Napi::Value ConvertTensorRows(const Napi::CallbackInfo& info) {
  const ggml_type source_type = ReadType(info[0], "sourceType");
  const ggml_type target_type = ReadType(info[1], "targetType");
  const Napi::Uint8Array source = ReadBytes(info[2], "source");
  Napi::Uint8Array target = ReadBytes(info[3], "target");
  const int64_t row_length = ReadInteger(info[4], "rowLength", 1, 1 << 30);
  if (ggml_quantize_requires_imatrix(target_type)) {
    Refuse("a target type that needs no importance matrix");
  }
  if (ggml_is_quantized(source_type) && ggml_get_type_traits(source_type)->to_float == nullptr) {
    Refuse("a source type that can be turned into floats");
  }
  if (row_length % ggml_blck_size(source_type) != 0 || row_length % ggml_blck_size(target_type) != 0) {
    Refuse("rows of whole blocks");
  }
  const size_t source_row = ggml_row_size(source_type, row_length);
  const size_t target_row = ggml_row_size(target_type, row_length);
  const size_t count = source.ByteLength() / source_row;
  if (source.ByteLength() != count * source_row || target.ByteLength() != count * target_row) {
    Refuse("as many whole rows in target as in source");
  }
  const int threads = ReadInteger(info[5], "threads", 1, 512);
  const Rows rows = {source.Data(), target.Data(), source_type,
                     target_type,   row_length,    static_cast<int64_t>(count),
                     threads};
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [rows] {
        if (!IsPlain(rows.target_type)) ggml_quantize_init(rows.target_type);
        Convert(rows);
        return Nothing();
      },
      [kept_source = Keep(source), kept_target = Keep(target)](Napi::Env env, Nothing&) -> Napi::Value {
        return env.Undefined();
      });
}
