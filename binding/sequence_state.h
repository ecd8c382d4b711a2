// Saved state of one sequence. llama.cpp's own format has no checksum and damaged bytes load silently, so it
// is wrapped: magic, format version, fingerprint of model and cache types, number of positions, length,
// checksum.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "llama.h"
#include "model.h"
#include "state_bytes.h"

// What two contexts must have in common to exchange states. `adapters` describes those of the context.
uint64_t StateFingerprint(const Model& model, const llama_context_params& params,
                          const std::string& adapters);

// The states of one context's sequences. On the context's thread.
class SequenceStates {
 public:
  SequenceStates(llama_context* context, uint64_t fingerprint)
      : context_(context), fingerprint_(fingerprint) {}

  // Without bytes if they would be more than `most_bytes`.
  StateBytes Save(llama_seq_id sequence, size_t most_bytes = std::numeric_limits<size_t>::max()) const;

  // Returns how many positions the state holds, counted from the first. Throws STATE_INVALID if a byte of it
  // was changed or if another model or version made it.
  int32_t Check(const StateBytes& bytes) const;
  // Puts a checked state into a sequence in place of what it holds; false, and an empty sequence, if the
  // cache has no room for it.
  bool Load(llama_seq_id sequence, const StateBytes& bytes) const;
  // Both. Throws STATE_INVALID, or CONTEXT_FULL if there was no room; the sequence is empty then.
  void Restore(llama_seq_id sequence, const StateBytes& bytes) const;

 private:
  void Clear(llama_seq_id sequence) const;

  llama_context* context_;
  uint64_t fingerprint_;
};
