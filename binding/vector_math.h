// What loops over rows of logits are made of, so that the compiler can use vector instructions.
#pragma once

#include <cstdint>
#include <cstring>

// The addon is compiled for any processor of its architecture; these loops are so hot that they are compiled
// for the wider vectors of newer ones too, and the loader takes what the processor has.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__SANITIZE_ADDRESS__)
#define WIDE_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE_VECTORS
#endif

// exp(x) for x <= 0, to about 1e-7: 2^n times 2^f, the second from its Taylor series at |f| <= 1/2. Unlike
// std::exp it can be computed for several values at once.
inline float ExpOfNegative(float x) {
  // Below -87 the result is no normal number; 1e-38 is as good as none. The bits of negative numbers grow
  // with their magnitude, and choosing between integers, unlike between floats, keeps GCC from branching.
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  constexpr uint32_t bits_of_minus_87 = 0xC2AE0000;
  bits = bits < bits_of_minus_87 ? bits : bits_of_minus_87;
  std::memcpy(&x, &bits, sizeof(x));
  const float scaled = x * 1.44269504F;
  constexpr float round_to_integer = 12582912.0F;  // 1.5 * 2^23: no room for a fraction beside it
  const float whole = (scaled + round_to_integer) - round_to_integer;
  const float y = (scaled - whole) * 0.69314718F;
  const float power =
      1 + y * (1 + y * (0.5F + y * (1.0F / 6 + y * (1.0F / 24 + y * (1.0F / 120 + y * (1.0F / 720))))));
  const int32_t exponent_bits = (static_cast<int32_t>(whole) + 127) << 23;
  float scale;
  std::memcpy(&scale, &exponent_bits, sizeof(scale));
  return power * scale;
}
