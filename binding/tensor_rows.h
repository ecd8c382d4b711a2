// Rows of a tensor from one of ggml's types to another, for JavaScript.
#pragma once

#include "node_api.h"

// (sourceType, targetType, source, target, rowLength) => Promise<void>. Types are ggml's numbers, source and
// target are Uint8Arrays of whole rows; the rows of `source` are written to `target`, off the JS thread.
Napi::Value ConvertTensorRows(const Napi::CallbackInfo& info);
