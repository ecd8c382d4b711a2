// How plain data leaves native code: written once, as values of JavaScript or as bytes for another process.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "node_api.h"
#include "state_bytes.h"

// Takes a value piece by piece: between Begin and End come the elements of an array, or keys each followed by
// its value.
class ValueWriter {
 public:
  ValueWriter() = default;
  virtual ~ValueWriter() = default;
  ValueWriter(const ValueWriter&) = delete;
  ValueWriter& operator=(const ValueWriter&) = delete;

  virtual void BeginObject() = 0;
  virtual void Key(const char* name) = 0;
  virtual void EndObject() = 0;
  virtual void BeginArray(size_t length) = 0;
  virtual void EndArray() = 0;
  virtual void Number(double value) = 0;
  virtual void Boolean(bool value) = 0;
  virtual void Text(std::string_view text) = 0;  // UTF-8
  virtual void Bytes(const StateBytes& bytes) = 0;
  virtual void Floats(const std::vector<float>& values) = 0;

  // A property of an object.
  void Set(const char* name, double value) {
    Key(name);
    Number(value);
  }
  void Set(const char* name, std::string_view text) {
    Key(name);
    Text(text);
  }
};

// Makes a JavaScript value. JS thread only.
class JsValueWriter : public ValueWriter {
 public:
  explicit JsValueWriter(Napi::Env env) : env_(env) {}

  void BeginObject() override { Open(Napi::Object::New(env_)); }
  void Key(const char* name) override { key_ = name; }
  void EndObject() override { Close(); }
  void BeginArray(size_t length) override { Open(Napi::Array::New(env_, length)); }
  void EndArray() override { Close(); }
  void Number(double value) override { Place(Napi::Number::New(env_, value)); }
  void Boolean(bool value) override { Place(Napi::Boolean::New(env_, value)); }
  void Text(std::string_view text) override { Place(Napi::String::New(env_, text.data(), text.size())); }
  void Bytes(const StateBytes& bytes) override { Place(ToUint8Array(env_, bytes)); }
  void Floats(const std::vector<float>& values) override;

  // What was written.
  Napi::Value Result() const { return result_; }

 private:
  struct Container {
    Napi::Object object;
    uint32_t length = 0;  // of an array, so far
  };

  void Open(Napi::Object object);
  void Close() { open_.pop_back(); }
  void Place(Napi::Value value);

  Napi::Env env_;
  Napi::Value result_;
  std::vector<Container> open_;
  const char* key_ = nullptr;
};
