// How many cells a saved state may say it has. llama.cpp makes room for as many before it reads the first,
// which may be 100 GB: a checksum tells damage, not forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

// Holds on this thread from its creation to its destruction.
class StateLimit {
 public:
  explicit StateLimit(size_t state_bytes) { most = state_bytes / least_bytes_of_a_cell; }
  ~StateLimit() { most = SIZE_MAX; }
  StateLimit(const StateLimit&) = delete;
  StateLimit& operator=(const StateLimit&) = delete;

  // Called where a state is read; see cmake/state-limit.h.
  static uint32_t Cells(uint32_t count) {
    if (count > most) throw std::runtime_error("the state says that it has more cells than bytes");
    return count;
  }

 private:
  static constexpr size_t least_bytes_of_a_cell = 8;  // its position, and of how many sequences it is
  static inline thread_local size_t most = SIZE_MAX;
};
