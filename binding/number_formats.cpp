#include "number_formats.h"

#include <cmath>
#include <cstring>

namespace {

// As in logits_scan.cpp: compiled for wider vectors too, and the loader takes what the processor has.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__SANITIZE_ADDRESS__)
#define WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define WIDE_VECTORS
#endif

inline uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

constexpr uint32_t sign_bit = 0x80000000;
constexpr uint32_t infinity_bits = 0x7F800000;

// The mantissa moves to its place in a float, and a multiplication puts the exponent right, also that of
// subnormal numbers. What had the largest exponent is infinite or no number, and stays so.
inline float HalfToFloat(uint16_t half) {
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7FFF) << 13;
  const uint32_t scaled = BitsOf(FloatOf(magnitude) * 0x1p112F);
  const uint32_t special = magnitude | infinity_bits;
  const uint32_t bits = magnitude >= (0x7C00U << 13) ? special : scaled;
  return FloatOf(bits | static_cast<uint32_t>(half & 0x8000) << 16);
}

// Adding a number whose last bit has the weight of the half's last bit rounds at that bit.
// Source: M. Dukhan, FP16 (https://github.com/Maratyszcza/FP16), which ggml uses too.
inline uint16_t FloatToHalf(float value) {
  const uint32_t bits = BitsOf(value);
  const uint32_t doubled = bits + bits;
  const float base = (std::fabs(value) * 0x1p112F) * 0x1p-110F;
  uint32_t bias = doubled & 0xFF000000;
  bias = bias < 0x71000000 ? 0x71000000 : bias;
  const uint32_t rounded = BitsOf(FloatOf((bias >> 1) + 0x07800000) + base);
  const uint32_t number = ((rounded >> 13) & 0x7C00) + (rounded & 0x0FFF);
  const uint32_t magnitude = doubled > 0xFF000000 ? 0x7E00 : number;
  return static_cast<uint16_t>((bits & sign_bit) >> 16 | magnitude);
}

inline uint16_t FloatToBrainFloat(float value) {
  const uint32_t bits = BitsOf(value);
  const uint32_t rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16;
  const uint32_t quiet = (bits >> 16) | 64;
  return static_cast<uint16_t>((bits & ~sign_bit) > infinity_bits ? quiet : rounded);
}

constexpr int64_t block_length = 32;
constexpr int64_t block_bytes = 34;

}  // namespace

WIDE_VECTORS void HalfToFloat(const uint16_t* halves, float* floats, int64_t count) {
  for (int64_t i = 0; i < count; i++) floats[i] = HalfToFloat(halves[i]);
}

WIDE_VECTORS void BrainFloatToFloat(const uint16_t* brain_floats, float* floats, int64_t count) {
  for (int64_t i = 0; i < count; i++) floats[i] = FloatOf(static_cast<uint32_t>(brain_floats[i]) << 16);
}

WIDE_VECTORS void FloatToHalf(const float* floats, uint16_t* halves, int64_t count) {
  for (int64_t i = 0; i < count; i++) halves[i] = FloatToHalf(floats[i]);
}

WIDE_VECTORS void FloatToBrainFloat(const float* floats, uint16_t* brain_floats, int64_t count) {
  for (int64_t i = 0; i < count; i++) brain_floats[i] = FloatToBrainFloat(floats[i]);
}

WIDE_VECTORS void FloatToQ8_0(const float* floats, uint8_t* blocks, int64_t count) {
  for (int64_t block = 0; block < count / block_length; block++) {
    const float* values = floats + block * block_length;
    uint8_t* target = blocks + block * block_bytes;
    // The bits of positive floats are ordered as the floats are, and integers can be compared several at
    // once.
    uint32_t largest_bits = 0;
    for (int64_t i = 0; i < block_length; i++) {
      const uint32_t magnitude = BitsOf(values[i]) & ~sign_bit;
      largest_bits = magnitude > largest_bits ? magnitude : largest_bits;
    }
    const float scale = FloatOf(largest_bits) / 127;
    const float inverse = scale == 0 ? 0 : 1 / scale;
    const uint16_t half = FloatToHalf(scale);
    std::memcpy(target, &half, sizeof(half));
    int8_t numbers[block_length];
    for (int64_t i = 0; i < block_length; i++) {
      // Halves away from zero, as `roundf`. Infinite products, of subnormal scales, become 0.
      const float product = values[i] * inverse;
      const float magnitude = std::fabs(product);
      const float bounded = magnitude < 128 ? magnitude : 0;
      const auto whole = static_cast<int32_t>(bounded);
      const int32_t up = bounded - static_cast<float>(whole) >= 0.5F ? 1 : 0;
      const int32_t rounded = whole + up;
      numbers[i] = static_cast<int8_t>(product < 0 ? -rounded : rounded);
    }
    std::memcpy(target + sizeof(half), numbers, sizeof(numbers));
  }
}
