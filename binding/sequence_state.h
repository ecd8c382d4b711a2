// Saved state of one sequence. llama.cpp's own format has no checksum and damaged bytes load silently, so it
// is wrapped: magic, format version, fingerprint of model and cache types, length, checksum.
#pragma once

#include <cstdint>
#include <vector>

#include "context.h"

std::vector<uint8_t> SaveSequenceState(Context& context, llama_seq_id sequence);

// Throws STATE_INVALID and leaves the sequence empty if the bytes are not such a state of the same model.
void RestoreSequenceState(Context& context, llama_seq_id sequence, const std::vector<uint8_t>& bytes);
