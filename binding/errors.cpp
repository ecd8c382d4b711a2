#include "errors.h"

#include <new>

#include "environment.h"

Napi::Error MakeError(Napi::Env env, const std::exception_ptr& exception, const char* fallback_code) {
  const char* code = fallback_code;
  std::string message;
  try {
    std::rethrow_exception(exception);
  } catch (const Napi::Error& error) {
    return error;
  } catch (const Failure& failure) {
    code = failure.code;
    message = failure.what();
  } catch (const std::bad_alloc&) {
    code = "OUT_OF_MEMORY";
    message = "Memory could not be allocated.";
  } catch (const std::exception& other) {
    message = other.what();
  } catch (...) {
    message = "An exception of unknown type was thrown.";
  }

  Napi::HandleScope scope(env);
  Napi::Value error =
      Environment::Of(env).create_error.Call({Napi::String::New(env, code), Napi::String::New(env, message)});
  return {env, error};
}
