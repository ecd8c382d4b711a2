// GCC before 11.5, 12.4, 13.3 and 14 tells the optimizer that _tile_loadconfig reads 8 bytes, so the stores to the
// other 56 may be dropped and the processor faults on a garbage configuration (GCC bug 114098; seen with 12.2 on a
// machine with AMX). This header is included before every source of ggml-cpu for those compilers.
#pragma once

#include <immintrin.h>

#ifdef __AMX_TILE__
static inline void tile_loadconfig_of_64_bytes(const void* config) {
  __asm__ volatile("ldtilecfg %0" ::"m"(*(const char(*)[64])config));
}
#define _tile_loadconfig tile_loadconfig_of_64_bytes
#endif
