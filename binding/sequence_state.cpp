#include "sequence_state.h"

#include <cstddef>
#include <cstring>
#include <exception>
#include <string>

#include "errors.h"
#include "state_limit.h"

namespace {

struct Header {
  char magic[8];
  uint64_t fingerprint;
  uint64_t positions;
  uint64_t payload_bytes;
  uint64_t checksum;  // of the payload and of the fields above
};
constexpr char state_magic[8] = {'L', 'N', 'S', 'T',
                                 'A', 'T', 'E', '2'};  // the last byte is the format version

constexpr uint64_t prime = 0x100000001b3ULL;

// FNV-1a (Fowler, Noll, Vo) on a whole word, which mixes upwards only: the high bits are brought down. For a
// given word, and for a given hash, every other one gives another result, so a change of one word always
// shows.
uint64_t Mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * prime;
  return hash ^ (hash >> 32);
}

// Four hashes side by side, since each waits for its own last multiplication: as fast as memory is read.
uint64_t Hash(const void* data, size_t size, uint64_t hash = 0xcbf29ce484222325ULL) {
  constexpr size_t lanes = 4;
  constexpr size_t block = lanes * sizeof(uint64_t);
  const auto* bytes = static_cast<const uint8_t*>(data);
  uint64_t lane[lanes] = {hash, hash + 1, hash + 2, hash + 3};
  size_t i = 0;
  for (; i + block <= size; i += block) {
    uint64_t words[lanes];
    std::memcpy(words, bytes + i, block);
    for (size_t j = 0; j < lanes; j++) lane[j] = Mix(lane[j], words[j]);
  }
  for (; i < size; i++) lane[0] = Mix(lane[0], bytes[i]);
  for (const uint64_t one : lane) hash = Mix(hash, one);
  return hash;
}

uint64_t Checksum(const Header& header, const uint8_t* payload) {
  return Hash(payload, header.payload_bytes, Hash(&header, offsetof(Header, checksum)));
}

[[noreturn]] void Refuse(const std::string& reason) {
  throw Failure("STATE_INVALID",
                "The saved state cannot be restored: " + reason + " Evaluate the tokens again instead.");
}

}  // namespace

uint64_t StateFingerprint(const Model& model, const llama_context_params& params,
                          const std::string& adapters) {
  char description[256] = {};
  llama_model_desc(model.model, description, sizeof(description));
  uint64_t hash = Hash(description, std::strlen(description));
  const char* version = llama_version();
  hash = Hash(version, std::strlen(version), hash);
  const uint64_t numbers[] = {llama_model_n_params(model.model), llama_model_size(model.model),
                              static_cast<uint64_t>(model.vocabulary_size),
                              static_cast<uint64_t>(params.type_k), static_cast<uint64_t>(params.type_v)};
  hash = Hash(numbers, sizeof(numbers), hash);
  return adapters.empty() ? hash : Hash(adapters.data(), adapters.size(), hash);
}

StateBytes SequenceStates::Save(llama_seq_id sequence, size_t most_bytes) const {
  const size_t size = sizeof(Header) + llama_state_seq_get_size(context_, sequence);
  if (size > most_bytes) return {};
  StateBytes bytes{std::shared_ptr<uint8_t[]>(new uint8_t[size]), size};  // not zeroed: it is filled at once
  uint8_t* payload = bytes.data.get() + sizeof(Header);
  const size_t written = llama_state_seq_get_data(context_, payload, size - sizeof(Header), sequence);
  bytes.size = sizeof(Header) + written;

  Header header{};
  std::memcpy(header.magic, state_magic, sizeof(state_magic));
  header.fingerprint = fingerprint_;
  header.positions =
      static_cast<uint64_t>(llama_memory_seq_pos_max(llama_get_memory(context_), sequence) + 1);
  header.payload_bytes = written;
  header.checksum = Checksum(header, payload);
  std::memcpy(bytes.data.get(), &header, sizeof(Header));
  return bytes;
}

int32_t SequenceStates::Check(const StateBytes& bytes) const {
  Header header{};
  if (bytes.size < sizeof(Header)) Refuse("it is shorter than its header.");
  std::memcpy(&header, bytes.data.get(), sizeof(Header));
  if (std::memcmp(header.magic, state_magic, sizeof(state_magic)) != 0)
    Refuse("it is not a state of this version.");
  if (header.fingerprint != fingerprint_)
    Refuse("it was made by another model, with other adapters or cache types, or by another llama.cpp.");
  const bool whole = header.payload_bytes == bytes.size - sizeof(Header) &&
                     header.checksum == Checksum(header, bytes.data.get() + sizeof(Header));
  if (!whole || header.positions > std::numeric_limits<int32_t>::max()) Refuse("its bytes are damaged.");
  return static_cast<int32_t>(header.positions);
}

bool SequenceStates::Load(llama_seq_id sequence, const StateBytes& bytes) const {
  Clear(sequence);
  Header header{};
  std::memcpy(&header, bytes.data.get(), sizeof(Header));
  const uint8_t* payload = bytes.data.get() + sizeof(Header);
  size_t read = 0;
  const StateLimit limit(bytes.size);
  try {
    read = llama_state_seq_set_data(context_, payload, bytes.size - sizeof(Header), sequence);
  } catch (const std::exception&) {
    read = 0;
  }
  const int64_t positions = int64_t{llama_memory_seq_pos_max(llama_get_memory(context_), sequence)} + 1;
  if (read > 0 && positions == static_cast<int64_t>(header.positions)) return true;
  Clear(sequence);
  return false;
}

void SequenceStates::Restore(llama_seq_id sequence, const StateBytes& bytes) const {
  Check(bytes);
  if (Load(sequence, bytes)) return;
  throw Failure("CONTEXT_FULL",
                "The KV cache of " + std::to_string(llama_n_ctx(context_)) +
                    " tokens has no room for the saved state. Remove a sequence first, or create the "
                    "context with a larger contextSize.");
}

void SequenceStates::Clear(llama_seq_id sequence) const {
  llama_memory_seq_rm(llama_get_memory(context_), sequence, -1, -1);
}
