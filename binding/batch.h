// The tokens of one call of llama_decode, each of one sequence.
#pragma once

#include <cstdint>

#include "llama.h"

class Batch {
 public:
  explicit Batch(int32_t batch_capacity)
      : capacity(batch_capacity), batch_(llama_batch_init(batch_capacity, 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void Clear() { batch_.n_tokens = 0; }
  // There must be room. Returns the row, by which logits are asked for later.
  int32_t Add(llama_token token, llama_pos position, llama_seq_id sequence, bool logits) {
    const int32_t row = batch_.n_tokens++;
    batch_.token[row] = token;
    batch_.pos[row] = position;
    batch_.n_seq_id[row] = 1;
    batch_.seq_id[row][0] = sequence;
    batch_.logits[row] = logits ? 1 : 0;
    return row;
  }

  int32_t Size() const { return batch_.n_tokens; }
  int32_t Room() const { return capacity - batch_.n_tokens; }
  // A copy of pointers: llama.cpp only reads what they point to.
  llama_batch Get() const { return batch_; }

  const int32_t capacity;

 private:
  llama_batch batch_;
};
