#include "sequence_state.h"

#include <cstring>
#include <string>

namespace {

struct Header {
  char magic[8];
  uint64_t fingerprint;
  uint64_t payload_bytes;
  uint64_t checksum;
};
constexpr char state_magic[8] = {'L', 'N', 'S', 'T',
                                 'A', 'T', 'E', '1'};  // the last byte is the format version

// FNV-1a (Fowler, Noll, Vo) over 8-byte words; the tail byte by byte.
uint64_t Hash(const void* data, size_t size, uint64_t hash = 0xcbf29ce484222325ULL) {
  constexpr uint64_t prime = 0x100000001b3ULL;
  const auto* bytes = static_cast<const uint8_t*>(data);
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + i, 8);
    hash = (hash ^ word) * prime;
    hash ^= hash >> 32;  // a word-wise FNV mixes upwards only; bring the high bits down
  }
  for (; i < size; i++) hash = (hash ^ bytes[i]) * prime;
  return hash;
}

uint64_t Fingerprint(const Context& context) {
  const llama_model* model = context.model->model;
  char description[256] = {};
  llama_model_desc(model, description, sizeof(description));
  uint64_t hash = Hash(description, std::strlen(description));
  const char* version = llama_version();
  hash = Hash(version, std::strlen(version), hash);
  const uint64_t numbers[] = {llama_model_n_params(model), llama_model_size(model),
                              static_cast<uint64_t>(context.model->vocabulary_size)};
  return Hash(numbers, sizeof(numbers), hash);
}

[[noreturn]] void Refuse(const std::string& reason) {
  throw Failure("STATE_INVALID",
                "The saved state cannot be restored: " + reason + " Evaluate the tokens again instead.");
}

}  // namespace

std::vector<uint8_t> SaveSequenceState(Context& context, llama_seq_id sequence) {
  const size_t size = llama_state_seq_get_size(context.context, sequence);
  std::vector<uint8_t> bytes(sizeof(Header) + size);
  uint8_t* payload = bytes.data() + sizeof(Header);
  const size_t written = llama_state_seq_get_data(context.context, payload, size, sequence);
  bytes.resize(sizeof(Header) + written);
  Header header{};
  std::memcpy(header.magic, state_magic, sizeof(state_magic));
  header.fingerprint = Fingerprint(context);
  header.payload_bytes = written;
  header.checksum = Hash(bytes.data() + sizeof(Header), written);
  std::memcpy(bytes.data(), &header, sizeof(Header));
  return bytes;
}

void RestoreSequenceState(Context& context, llama_seq_id sequence, const std::vector<uint8_t>& bytes) {
  Header header{};
  if (bytes.size() < sizeof(Header)) Refuse("it is shorter than its header.");
  std::memcpy(&header, bytes.data(), sizeof(Header));
  if (std::memcmp(header.magic, state_magic, sizeof(state_magic)) != 0)
    Refuse("it is not a state of this version.");
  if (header.fingerprint != Fingerprint(context))
    Refuse("it was made by another model or another llama.cpp.");
  const uint8_t* payload = bytes.data() + sizeof(Header);
  const size_t size = bytes.size() - sizeof(Header);
  if (header.payload_bytes != size || header.checksum != Hash(payload, size))
    Refuse("its bytes are damaged.");

  llama_memory_seq_rm(llama_get_memory(context.context), sequence, -1, -1);
  size_t read = 0;
  try {
    read = llama_state_seq_set_data(context.context, payload, size, sequence);
  } catch (const std::exception&) {
    read = 0;
  }
  if (read == 0) {
    llama_memory_seq_rm(llama_get_memory(context.context), sequence, -1, -1);
    Refuse("the context has no room for it, or other cache types.");
  }
}
