// The messages of lib/isolate/message-codec.ts, made without JavaScript.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "value_writer.h"

// A message as it goes into a pipe: its parts one after the other.
struct Message {
  std::string head;  // the header and the serialized value
  std::vector<StateBytes> attachments;
};

// Writes a value in V8's serialization format, from version 13 on, whose reader takes all earlier ones.
// Source of the format: V8's src/objects/value-serializer.cc.
class MessageWriter : public ValueWriter {
 public:
  MessageWriter();

  void BeginObject() override;
  void Key(const char* name) override;
  void EndObject() override;
  void BeginArray(size_t length) override;
  void EndArray() override;
  void Number(double value) override;
  void Boolean(bool value) override;
  void Text(std::string_view text) override;
  void Bytes(const StateBytes& bytes) override;
  void Floats(const std::vector<float>& values) override;

  Message Finish();

 private:
  void Tag(char tag) { body_.push_back(tag); }
  void Varint(uint64_t value);
  void TypedArray(uint32_t type, const StateBytes& bytes);

  std::string body_;
  std::vector<StateBytes> attachments_;
  std::vector<size_t> counts_;  // properties of the open objects, lengths of the open arrays
};
