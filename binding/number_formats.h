// Rows of numbers from one format to another, many at once.
#pragma once

#include <cstdint>

#include "ggml.h"

// Fill `floats` with `count` numbers of 16 bits.
void HalfToFloat(const uint16_t* halves, float* floats, int64_t count);
void BrainFloatToFloat(const uint16_t* brain_floats, float* floats, int64_t count);

// To the nearest number, to the even one of two, as IEEE 754 asks for.
void FloatToHalf(const float* floats, uint16_t* halves, int64_t count);
void FloatToBrainFloat(const float* floats, uint16_t* brain_floats, int64_t count);

// Blocks of 32 with a scale: bit for bit what `quantize_row_q8_0_ref` in ggml-quants.c gives.
void FloatToQ8_0(const float* floats, uint8_t* blocks, int64_t count);
