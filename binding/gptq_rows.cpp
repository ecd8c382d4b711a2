#include "gptq_rows.h"

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
#include "tensor_rows.h"

namespace {

constexpr int64_t block_length = 32;
// Sixteen columns of 32 bits fill a cache line: each line of the weights is fetched once.
constexpr int64_t tile_rows = 16;

struct Layer {
  int bits;
  int64_t inputs;
  int64_t outputs;
  const uint32_t* weights;
  const float* scales;
  const uint8_t* zeros;
  const int32_t* groups;
};

struct Work {
  Layer layer;
  ggml_type type;
  int64_t first_row;
  int64_t row_count;
  uint8_t* target;
  int64_t threads;
};

// How far the written values are from those of the checkpoint.
struct Deviation {
  double error_squares = 0;
  double weight_squares = 0;
};

[[noreturn]] void Refuse(const std::string& expected) {
  throw Failure("INVALID_ARGUMENT", "Expected " + expected + ".");
}

// Eight numbers of four bits as eight bytes.
uint64_t Spread(uint32_t packed) {
  uint64_t spread = packed;
  spread = (spread | spread << 16) & 0x0000FFFF0000FFFF;
  spread = (spread | spread << 8) & 0x00FF00FF00FF00FF;
  return (spread | spread << 4) & 0x0F0F0F0F0F0F0F0F;
}

template <int bits>
void UnpackBlock(const Layer& layer, int64_t block, int64_t output, uint8_t* quants) {
  const uint32_t* words = layer.weights + block * bits * layer.outputs + output;
  for (int word = 0; word < bits; word++) {
    const uint32_t packed = words[word * layer.outputs];
    if (bits == 4) {
      const uint64_t bytes = Spread(packed);
      std::memcpy(quants + word * sizeof(bytes), &bytes, sizeof(bytes));
    } else {
      std::memcpy(quants + word * sizeof(packed), &packed, sizeof(packed));
    }
  }
}

void UnpackBlock(const Layer& layer, int64_t block, int64_t output, uint8_t* quants) {
  if (layer.bits == 4) {
    UnpackBlock<4>(layer, block, output, quants);
  } else {
    UnpackBlock<8>(layer, block, output, quants);
  }
}

uint16_t Half(float value) {
  uint16_t half;
  FloatToHalf(&value, &half, 1);
  return half;
}

double ValueOf(uint16_t half) {
  float value;
  HalfToFloat(&half, &value, 1);
  return value;
}

uint8_t* Append(uint8_t* target, uint16_t half) {
  std::memcpy(target, &half, sizeof(half));
  return target + sizeof(half);
}

// The same quantized numbers in a block of ggml: d * (q - 8), d * q + m, or d * (q - 128).
// Source: block_q4_0, block_q4_1 and block_q8_0 in ggml-common.h.
void WriteBlock(ggml_type type, const uint8_t* quants, float scale, int zero, uint8_t* target,
                Deviation& deviation) {
  const uint16_t scale_half = Half(scale);
  const double written_scale = ValueOf(scale_half);
  double written_offset = -written_scale * zero;
  target = Append(target, scale_half);
  if (type == GGML_TYPE_Q8_0) {
    for (int index = 0; index < block_length; index++) {
      target[index] = static_cast<uint8_t>(quants[index] - 128);
    }
  } else {
    if (type == GGML_TYPE_Q4_1) {
      const uint16_t offset_half = Half(static_cast<float>(-static_cast<double>(scale) * zero));
      written_offset = ValueOf(offset_half);
      target = Append(target, offset_half);
    }
    for (int index = 0; index < 16; index++) {
      target[index] = static_cast<uint8_t>(quants[index] | quants[index + 16] << 4);
    }
  }
  int sum = 0;
  int squares = 0;
  for (int index = 0; index < block_length; index++) {
    const int number = quants[index] - zero;
    sum += number;
    squares += number * number;
  }
  // The error of each weight is slope * (q - zero) + shift.
  const double exact_scale = scale;
  const double slope = written_scale - exact_scale;
  const double shift = written_offset + written_scale * zero;
  deviation.error_squares += slope * slope * squares + 2 * slope * shift * sum + block_length * shift * shift;
  deviation.weight_squares += exact_scale * exact_scale * squares;
}

// All weights of a block have one group, so that its numbers can stay.
void CopyBlocks(const Work& work, int64_t first, int64_t count, Deviation& deviation) {
  const Layer& layer = work.layer;
  const size_t block_bytes = ggml_type_size(work.type);
  const size_t row_bytes = ggml_row_size(work.type, layer.inputs);
  uint8_t quants[block_length];
  for (int64_t block = 0; block < layer.inputs / block_length; block++) {
    const int64_t group = static_cast<int64_t>(layer.groups[block * block_length]) * layer.outputs;
    for (int64_t row = first; row < first + count; row++) {
      UnpackBlock(layer, block, row, quants);
      uint8_t* target = work.target + (row - work.first_row) * row_bytes + block * block_bytes;
      WriteBlock(work.type, quants, layer.scales[group + row], layer.zeros[group + row], target, deviation);
    }
  }
}

// Scale and zero of each group, one row after the other.
struct Groups {
  std::vector<double> scales;
  std::vector<int> zeros;
};

Groups CollectGroups(const Layer& layer, int64_t first, int64_t count) {
  const int64_t group_count = *std::max_element(layer.groups, layer.groups + layer.inputs) + 1;
  Groups collected;
  for (int64_t row = first; row < first + count; row++) {
    for (int64_t group = 0; group < group_count; group++) {
      collected.scales.push_back(layer.scales[group * layer.outputs + row]);
      collected.zeros.push_back(layer.zeros[group * layer.outputs + row]);
    }
  }
  return collected;
}

void Dequantize(const Layer& layer, int64_t first, int64_t count, double* values) {
  const Groups collected = CollectGroups(layer, first, count);
  const int64_t group_count = static_cast<int64_t>(collected.scales.size()) / count;
  uint8_t quants[block_length];
  for (int64_t block = 0; block < layer.inputs / block_length; block++) {
    const int32_t* groups = layer.groups + block * block_length;
    for (int64_t row = 0; row < count; row++) {
      UnpackBlock(layer, block, first + row, quants);
      const double* scales = collected.scales.data() + row * group_count;
      const int* zeros = collected.zeros.data() + row * group_count;
      double* target = values + row * layer.inputs + block * block_length;
      for (int index = 0; index < block_length; index++) {
        target[index] = scales[groups[index]] * (quants[index] - zeros[groups[index]]);
      }
    }
  }
}

void QuantizeRows(const Work& work, int64_t first, int64_t count, Deviation& deviation) {
  const int64_t length = work.layer.inputs;
  std::vector<double> values(length * count);
  Dequantize(work.layer, first, count, values.data());
  float floats[tensor_piece_length];
  for (int64_t row = 0; row < count; row++) {
    uint8_t* target = work.target + (first - work.first_row + row) * ggml_row_size(work.type, length);
    for (int64_t done = 0; done < length; done += tensor_piece_length) {
      const int64_t size = std::min(tensor_piece_length, length - done);
      const double* exact = values.data() + row * length + done;
      uint8_t* piece = target + ggml_row_size(work.type, done);
      std::copy(exact, exact + size, floats);
      FloatsToRow(work.type, floats, piece, size);
      RowToFloats(work.type, piece, floats, size);
      for (int64_t index = 0; index < size; index++) {
        const double error = floats[index] - exact[index];
        deviation.error_squares += error * error;
        deviation.weight_squares += exact[index] * exact[index];
      }
    }
  }
}

// Whether the type takes the numbers as they are: with them, only scale and offset are rounded.
bool KeepsNumbers(const Layer& layer, ggml_type type) {
  const bool fits =
      layer.bits == 4 ? type == GGML_TYPE_Q4_0 || type == GGML_TYPE_Q4_1 : type == GGML_TYPE_Q8_0;
  if (!fits) return false;
  for (int64_t input = 0; input < layer.inputs; input++) {
    if (layer.groups[input] != layer.groups[input / block_length * block_length]) return false;
  }
  if (type == GGML_TYPE_Q4_1) return true;
  const int64_t count = *std::max_element(layer.groups, layer.groups + layer.inputs) + 1;
  const uint8_t middle = type == GGML_TYPE_Q4_0 ? 8 : 128;
  return std::all_of(layer.zeros, layer.zeros + count * layer.outputs,
                     [middle](uint8_t zero) { return zero == middle; });
}

Deviation Convert(const Work& work) {
  if (ggml_is_quantized(work.type)) ggml_quantize_init(work.type);
  const auto convert = KeepsNumbers(work.layer, work.type) ? CopyBlocks : QuantizeRows;
  std::vector<Deviation> tiles((work.row_count + tile_rows - 1) / tile_rows);
  RunInParallel(work.threads, static_cast<int64_t>(tiles.size()), [&](int64_t tile) {
    const int64_t done = tile * tile_rows;
    convert(work, work.first_row + done, std::min(tile_rows, work.row_count - done), tiles[tile]);
  });
  // Added in their order, so that the sums do not depend on the number of threads.
  Deviation deviation;
  for (const Deviation& tile : tiles) {
    deviation.error_squares += tile.error_squares;
    deviation.weight_squares += tile.weight_squares;
  }
  return deviation;
}

template <typename Array>
Array ReadArray(const Napi::Object& object, const char* name, napi_typedarray_type type) {
  const Napi::Value value = object.Get(name);
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type) return value.As<Array>();
  Refuse("a typed array of the right type for " + std::string(name));
}

Layer ReadLayer(const Napi::Object& object) {
  const int bits = ReadInteger(object.Get("bits"), "bits", 4, 8);
  const int64_t inputs = ReadInteger(object.Get("inputs"), "inputs", block_length, 1 << 30);
  const int64_t outputs = ReadInteger(object.Get("outputs"), "outputs", 1, 1 << 30);
  if ((bits != 4 && bits != 8) || inputs % block_length != 0)
    Refuse("4 or 8 bits and whole blocks of 32 inputs");
  const auto weights = ReadArray<Napi::Uint32Array>(object, "weights", napi_uint32_array);
  const auto scales = ReadArray<Napi::Float32Array>(object, "scales", napi_float32_array);
  const auto zeros = ReadArray<Napi::Uint8Array>(object, "zeros", napi_uint8_array);
  const auto groups = ReadArray<Napi::Int32Array>(object, "groups", napi_int32_array);
  const int64_t weight_count = inputs / block_length * bits * outputs;
  if (static_cast<int64_t>(weights.ElementLength()) != weight_count ||
      static_cast<int64_t>(groups.ElementLength()) != inputs ||
      scales.ElementLength() != zeros.ElementLength()) {
    Refuse("arrays of the layer's size");
  }
  const int64_t group_count = static_cast<int64_t>(scales.ElementLength()) / outputs;
  for (int64_t input = 0; input < inputs; input++) {
    if (groups.Data()[input] < 0 || groups.Data()[input] >= group_count) Refuse("groups that there are");
  }
  return {bits, inputs, outputs, weights.Data(), scales.Data(), zeros.Data(), groups.Data()};
}

bool IsTarget(ggml_type type) {
  return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16 ||
         (ggml_is_quantized(type) && !ggml_quantize_requires_imatrix(type) &&
          ggml_get_type_traits(type)->to_float != nullptr);
}

}  // namespace

Napi::Value ConvertGptqRows(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) Refuse("an object for layer");
  const auto object = info[0].As<Napi::Object>();
  const Layer layer = ReadLayer(object);
  const auto type = static_cast<ggml_type>(ReadInteger(info[1], "targetType", 0, GGML_TYPE_COUNT - 1));
  if (!IsTarget(type) || layer.inputs % ggml_blck_size(type) != 0) {
    Refuse("a target type of floats, or of blocks that rows are whole numbers of");
  }
  const int64_t first_row = ReadInteger(info[2], "firstRow", 0, layer.outputs);
  if (!info[3].IsTypedArray() || info[3].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    Refuse("a Uint8Array for target");
  }
  auto target = info[3].As<Napi::Uint8Array>();
  const size_t row_bytes = ggml_row_size(type, layer.inputs);
  const auto row_count = static_cast<int64_t>(target.ByteLength() / row_bytes);
  if (target.ByteLength() != row_count * row_bytes || first_row + row_count > layer.outputs) {
    Refuse("whole rows of the layer in target");
  }
  const int threads = ReadInteger(info[4], "threads", 1, 512);
  const Work work = {layer, type, first_row, row_count, target.Data(), threads};
  const auto kept_arrays = std::make_shared<std::vector<Napi::ObjectReference>>();
  for (const char* name : {"weights", "scales", "zeros", "groups"}) {
    kept_arrays->push_back(Napi::Persistent(object.Get(name).As<Napi::Object>()));
  }
  kept_arrays->push_back(Napi::Persistent(target.As<Napi::Object>()));
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()), [work] { return Convert(work); },
      [kept_arrays](Napi::Env env, Deviation& deviation) -> Napi::Value {
        Napi::Array result = Napi::Array::New(env, 2);
        result.Set(0U, deviation.error_squares);
        result.Set(1U, deviation.weight_squares);
        return result;
      });
}
