// Failures inside the binding, and their way to JavaScript as errors with a stable code.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>

#include "node_api.h"

// A failure with one of the codes of lib/errors.ts. Thrown on any thread.
class Failure : public std::runtime_error {
 public:
  Failure(const char* error_code, const std::string& message)
      : std::runtime_error(message), code(error_code) {}

  const char* code;  // a string literal
};

// Makes the JavaScript error for an exception; one that is no Failure gets `fallback_code`. JS thread only.
Napi::Error MakeError(Napi::Env env, const std::exception_ptr& exception,
                      const char* fallback_code = "INTERNAL");

// Wraps the body of an exported function: whatever it throws arrives in JavaScript as an error with a code.
template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  try {
    return Body(info);
  } catch (const Napi::Error&) {
    throw;  // already a JavaScript exception
  } catch (...) {
    throw MakeError(info.Env(), std::current_exception());
  }
}
