// Rows of a tensor from one of ggml's types to another, for JavaScript.
#pragma once

#include <cstdint>

#include "ggml.h"
#include "node_api.h"

// (sourceType, targetType, source, target, rowLength) => Promise<void>. Types are ggml's numbers, source and
// target are Uint8Arrays of whole rows; the rows of `source` are written to `target`, off the JS thread.
Napi::Value ConvertTensorRows(const Napi::CallbackInfo& info);

// As many numbers as the two functions below take at most.
constexpr int64_t tensor_piece_length = 4096;

// Part of a row, whole blocks of it, as floats and back. Neither side has to lie at an even address.
void RowToFloats(ggml_type type, const uint8_t* source, float* floats, int64_t count);
void FloatsToRow(ggml_type type, const float* floats, uint8_t* target, int64_t count);
