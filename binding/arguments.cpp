#include "arguments.h"

#include <cmath>
#include <cstring>

namespace {

[[noreturn]] void Refuse(const char* name, const std::string& expected) {
  throw Failure("INVALID_ARGUMENT", std::string("Expected ") + expected + " for " + name + ".");
}

double ReadNumber(const Napi::Value& value, const char* name, double lowest, double highest) {
  const std::string range = "a number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  if (!value.IsNumber()) Refuse(name, range);
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= lowest && number <= highest)) Refuse(name, range);  // also refuses NaN
  return number;
}

bool IsMissing(const Napi::Value& value) {
  return value.IsUndefined() || value.IsNull();
}

}  // namespace

std::string ReadString(const Napi::Value& value, const char* name) {
  if (!value.IsString()) Refuse(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

bool ReadBool(const Napi::Value& value, bool fallback) {
  return value.IsBoolean() ? value.As<Napi::Boolean>().Value() : fallback;
}

int32_t ReadInteger(const Napi::Value& value, const char* name, int64_t lowest, int64_t highest) {
  const double number = ReadNumber(value, name, static_cast<double>(lowest), static_cast<double>(highest));
  if (number != std::floor(number)) Refuse(name, "a whole number");
  return static_cast<int32_t>(static_cast<int64_t>(number));
}

float ReadFloat(const Napi::Value& value, const char* name, double lowest, double highest) {
  return static_cast<float>(ReadNumber(value, name, lowest, highest));
}

std::vector<llama_token> ReadTokens(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    Refuse("tokens", "an Int32Array");
  }
  auto array = value.As<Napi::Int32Array>();
  if (array.ElementLength() == 0) return {};
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<std::string> ReadStrings(const Napi::Value& value, const char* name) {
  if (IsMissing(value)) return {};
  if (!value.IsArray()) Refuse(name, "an array of strings");
  auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  strings.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) strings.push_back(ReadString(array.Get(i), name));
  return strings;
}

int32_t ReadInteger(const Napi::Object& options, const char* name, int32_t fallback, int64_t lowest,
                    int64_t highest) {
  const Napi::Value value = options.Get(name);
  return IsMissing(value) ? fallback : ReadInteger(value, name, lowest, highest);
}

float ReadFloat(const Napi::Object& options, const char* name, float fallback, double lowest,
                double highest) {
  const Napi::Value value = options.Get(name);
  return IsMissing(value) ? fallback : ReadFloat(value, name, lowest, highest);
}

int64_t ReadLength(const Napi::Object& options, const char* name, int64_t fallback) {
  constexpr double largest_exact = 9007199254740991;  // Number.MAX_SAFE_INTEGER
  const Napi::Value value = options.Get(name);
  return IsMissing(value) ? fallback : static_cast<int64_t>(ReadNumber(value, name, 0, largest_exact));
}

std::string ReadString(const Napi::Object& options, const char* name, const std::string& fallback) {
  const Napi::Value value = options.Get(name);
  return IsMissing(value) ? fallback : ReadString(value, name);
}

Napi::Int32Array TokensToArray(Napi::Env env, const std::vector<llama_token>& tokens) {
  auto array = Napi::Int32Array::New(env, tokens.size());
  if (!tokens.empty()) std::memcpy(array.Data(), tokens.data(), tokens.size() * sizeof(llama_token));
  return array;
}
