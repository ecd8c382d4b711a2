// Generations as JavaScript submits them and hears of them.
#pragma once

#include "batch_loop.h"
#include "node_api.h"

// { generations: [{ id, text, tokens, finish? }], evicted: [{ sequence, key, state? }],
//   snapshots: [{ id, position, state }], unrestored: [{ id, invalid }] }
Napi::Object EventsToObject(Napi::Env env, const StepEvents& events);

Napi::Value SubmitGeneration(const Napi::CallbackInfo& info);  // (context, request) => void
Napi::Value ProvideLogits(const Napi::CallbackInfo& info);     // (context, id, Float32Array) => void
Napi::Value CancelGeneration(const Napi::CallbackInfo& info);  // (context, id) => void
Napi::Value SetEvictable(const Napi::CallbackInfo& info);      // (context, sequences, keys) => void
Napi::Value GetMetrics(const Napi::CallbackInfo& info);        // (context) => Promise<counts>
