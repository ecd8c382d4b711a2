// Native objects in JavaScript's hands: externals with a type tag that is checked whenever one comes back, so
// a wrong handle is an error and not a corrupted heap.
#pragma once

#include <memory>
#include <system_error>
#include <utility>

#include "environment.h"
#include "errors.h"
#include "node_api.h"

// Names and tags a kind of handle; specialised beside each class.
template <typename T>
struct HandleKind;  // static const char* name; static constexpr napi_type_tag tag; static void
                    // Dispose(shared_ptr<T>)

// Drops a reference on another thread: the last one to a model unmaps gigabytes.
template <typename T>
void ReleaseLater(Napi::Env env, std::shared_ptr<T> object) {
  try {
    Environment::Of(env).tasks.Post([object]() mutable { object.reset(); });
  } catch (const std::system_error&) {
    // No thread for it: then it is released here, slowly. A finalizer must not throw.
  }
}

template <typename T>
struct Handle {
  std::shared_ptr<T> object;  // empty once closed
};

template <typename T>
Napi::Value WrapHandle(Napi::Env env, std::shared_ptr<T> object) {
  auto* handle = new Handle<T>{std::move(object)};
  auto external = Napi::External<Handle<T>>::New(env, handle, [](Napi::Env finalizer_env, Handle<T>* dead) {
    if (dead->object) HandleKind<T>::Dispose(finalizer_env, std::move(dead->object));
    delete dead;
  });
  external.TypeTag(&HandleKind<T>::tag);
  return external;
}

template <typename T>
Handle<T>& HandleOf(const Napi::Value& value) {
  if (value.IsExternal()) {
    auto external = value.As<Napi::External<Handle<T>>>();
    if (external.CheckTypeTag(&HandleKind<T>::tag)) return *external.Data();
  }
  throw Failure("INVALID_HANDLE",
                std::string("Expected a native ") + HandleKind<T>::name +
                    " handle; received another value. Pass the object that the library gave you.");
}

template <typename T>
std::shared_ptr<T> Unwrap(const Napi::Value& value) {
  const Handle<T>& handle = HandleOf<T>(value);
  if (!handle.object) throw Failure("CLOSED", std::string("The ") + HandleKind<T>::name + " is closed.");
  return handle.object;
}
