// Included before the source of llama.cpp's grammars, which follows an ambiguous one in any number of ways at once: makes
// it spend a budget with each stack that it takes from its list. Every header that it includes comes first, so that the
// name is replaced in its own text only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <stdexcept>

#include "../binding/work_budget.h"
#include "llama-grammar.h"
#include "llama-impl.h"
#include "llama-sampler.h"
#include "llama-vocab.h"

// About what a stack takes.
constexpr size_t llama_native_bytes_of_a_stack = 64;

#define pop_back() pop_back(), WorkBudget::Spend(llama_native_bytes_of_a_stack)
