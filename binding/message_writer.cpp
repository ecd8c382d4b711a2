#include "message_writer.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

namespace {

// As in message-codec.ts.
constexpr uint32_t magic_word = 0x31454e4c;
constexpr size_t attached_length = size_t{64} << 10;
constexpr uint32_t uint8_array = 0;
constexpr uint32_t float32_array = 2;
constexpr int attachment_header_length = 6;

constexpr char format_version = 13;

// The format is little-endian, as every machine is that this runs on.
void AppendInteger(std::string& bytes, uint64_t value, int length) {
  for (int i = 0; i < length; i++) bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xFF));
}

}  // namespace

MessageWriter::MessageWriter() {
  body_.push_back('\xff');
  body_.push_back(format_version);
}

void MessageWriter::Varint(uint64_t value) {
  while (value >= 0x80) {
    body_.push_back(static_cast<char>((value & 0x7F) | 0x80));
    value >>= 7;
  }
  body_.push_back(static_cast<char>(value));
}

void MessageWriter::BeginObject() {
  Tag('o');
  counts_.push_back(0);
}

void MessageWriter::Key(const char* name) {
  counts_.back()++;
  Text(name);
}

void MessageWriter::EndObject() {
  Tag('{');
  Varint(counts_.back());
  counts_.pop_back();
}

void MessageWriter::BeginArray(size_t length) {
  Tag('A');
  Varint(length);
  counts_.push_back(length);
}

void MessageWriter::EndArray() {
  Tag('$');
  Varint(0);  // properties besides the elements
  Varint(counts_.back());
  counts_.pop_back();
}

void MessageWriter::Number(double value) {
  constexpr double smallest = std::numeric_limits<int32_t>::min();
  constexpr double largest = std::numeric_limits<int32_t>::max();
  if (value >= smallest && value <= largest && value == std::trunc(value) && !std::signbit(value)) {
    Tag('I');
    Varint(static_cast<uint64_t>(value) << 1);  // an even number is positive
    return;
  }
  Tag('N');
  char bytes[sizeof(double)];
  std::memcpy(bytes, &value, sizeof(double));
  body_.append(bytes, sizeof(double));
}

void MessageWriter::Boolean(bool value) {
  Tag(value ? 'T' : 'F');
}

void MessageWriter::Text(std::string_view text) {
  Tag('S');
  Varint(text.size());
  body_.append(text);
}

void MessageWriter::Bytes(const StateBytes& bytes) {
  TypedArray(uint8_array, bytes);
}

void MessageWriter::Floats(const std::vector<float>& values) {
  const size_t size = values.size() * sizeof(float);
  StateBytes bytes{std::shared_ptr<uint8_t[]>(new uint8_t[size]), size};
  std::memcpy(bytes.data.get(), values.data(), size);
  TypedArray(float32_array, bytes);
}

void MessageWriter::TypedArray(uint32_t type, const StateBytes& bytes) {
  const bool attached = bytes.size >= attached_length;
  Tag('\\');
  Varint(type);
  Varint(attached ? 1 : 0);
  if (attached) {
    attachments_.push_back(bytes);
    return;
  }
  Varint(bytes.size);
  body_.append(reinterpret_cast<const char*>(bytes.data.get()), bytes.size);
}

Message MessageWriter::Finish() {
  Message message;
  AppendInteger(message.head, magic_word, 4);
  AppendInteger(message.head, body_.size(), 4);
  AppendInteger(message.head, attachments_.size(), 4);
  for (const StateBytes& attachment : attachments_)
    AppendInteger(message.head, attachment.size, attachment_header_length);
  message.head += body_;
  message.attachments = std::move(attachments_);
  return message;
}
