// Rows of linear layers that GPTQ quantized, as rows of one of ggml's types.
#pragma once

#include "node_api.h"

// (layer, targetType, firstRow, target) => Promise<[errorSquares, weightSquares]>. `layer` is
// { bits, inputs, outputs, weights, scales, zeros, groups }: Uint32Array [inputs * bits / 32, outputs],
// Float32Array and Uint8Array [groups, outputs], Int32Array [inputs]. Whole rows are written to `target`, off
// the JS thread; the result tells how far they are from scale * (weight - zero), computed in double
// precision.
Napi::Value ConvertGptqRows(const Napi::CallbackInfo& info);
