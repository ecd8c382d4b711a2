#include "state_bytes.h"

#include <utility>

#include "environment.h"
#include "errors.h"

Napi::Value ToUint8Array(Napi::Env env, const StateBytes& bytes) {
  using Owner = std::shared_ptr<uint8_t[]>;
  auto buffer = Napi::Buffer<uint8_t>::NewOrCopy(
      env, bytes.data.get(), bytes.size, [](Napi::Env, uint8_t*, Owner* owner) { delete owner; },
      new Owner(bytes.data));
  return Napi::Uint8Array::New(env, buffer.ByteLength(), buffer.ArrayBuffer(), buffer.ByteOffset());
}

StateBytes PinBytes(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Failure("INVALID_ARGUMENT", "Expected a Uint8Array for the saved state.");
  }
  auto array = value.As<Napi::Uint8Array>();
  auto* reference = new Napi::ObjectReference(Napi::Persistent(array.As<Napi::Object>()));
  // References are released on the JavaScript thread only. If its queue is closed, the environment is ending,
  // and takes the array with it.
  auto release = [reference, queue = Environment::Of(value.Env()).queue](uint8_t*) {
    queue->Post([reference](Napi::Env) { delete reference; });
  };
  return {std::shared_ptr<uint8_t[]>(array.Data(), std::move(release)), array.ByteLength()};
}
