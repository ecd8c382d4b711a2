// Generations as JavaScript submits and steers them.
#pragma once

#include "node_api.h"

Napi::Value SubmitGeneration(const Napi::CallbackInfo& info);  // (context, request) => void
Napi::Value ProvideLogits(const Napi::CallbackInfo& info);     // (context, id, Float32Array) => void
Napi::Value CancelGeneration(const Napi::CallbackInfo& info);  // (context, id) => void
Napi::Value SetEvictable(const Napi::CallbackInfo& info);      // (context, sequences, keys) => void
Napi::Value GetMetrics(const Napi::CallbackInfo& info);        // (context) => Promise<counts>
