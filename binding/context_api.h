// The functions JavaScript calls on contexts: creation, the low-level primitives and saved state.
#pragma once

#include <memory>

#include "node_api.h"
#include "promise_worker.h"

class Context;

// Runs tasks on the context's thread, between its steps.
Executor ContextExecutor(std::shared_ptr<Context> context);

Napi::Value CreateContext(
    const Napi::CallbackInfo& info);  // (model, options, onEvents) => Promise<{ handle, ... }>
Napi::Value CloseContext(const Napi::CallbackInfo& info);  // (context) => Promise<void>
Napi::Value Eval(
    const Napi::CallbackInfo& info);  // (context, tokens, sequence, position, all) => Promise<void>
Napi::Value GetLogits(const Napi::CallbackInfo& info);  // (context, index) => Promise<Float32Array>
Napi::Value Sample(const Napi::CallbackInfo& info);     // (context, sampler, index) => Promise<number>
Napi::Value ChangeMemory(
    const Napi::CallbackInfo& info);  // (context, operation, a, b, from, to, delta) => Promise<boolean>
Napi::Value GetSequenceRange(
    const Napi::CallbackInfo& info);                       // (context, sequence) => Promise<[first, last]>
Napi::Value SaveSequence(const Napi::CallbackInfo& info);  // (context, sequence) => Promise<Uint8Array>
Napi::Value SavePrefix(
    const Napi::CallbackInfo& info);  // (context, sequence, length) => Promise<Uint8Array | undefined>
Napi::Value RestoreSequence(const Napi::CallbackInfo& info);  // (context, sequence, bytes) => Promise<void>
