// Saved state on its way between threads: made on the context's thread, kept by JavaScript without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "node_api.h"

// Bytes that may be read by anyone and changed by no one.
struct StateBytes {
  std::shared_ptr<uint8_t[]> data;
  size_t size = 0;
};

// A Uint8Array over the same memory, where the runtime allows that; else a copy.
Napi::Value ToUint8Array(Napi::Env env, const StateBytes& bytes);

// The bytes of a Uint8Array, which stays alive until the last copy of this is gone. Nobody may write to it
// meanwhile. Throws INVALID_ARGUMENT for another value. JS thread only; copies may go anywhere.
StateBytes PinBytes(const Napi::Value& value);
