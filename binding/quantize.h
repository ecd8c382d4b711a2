// Quantization of a model file, through llama_model_quantize.
#pragma once

#include "node_api.h"

// (input, output, options, flag, onProgress) => Promise<string>: what llama.cpp logged, which tells each
// tensor with its types. onProgress gets the number of the tensor, from 1, and how many of its weights are
// done. Rejects with QUANTIZATION_FAILED, DISK_FULL, FILE_ACCESS_FAILED or ABORTED; then the output is
// unfinished.
Napi::Value Quantize(const Napi::CallbackInfo& info);
