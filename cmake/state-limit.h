// Included before the sources that read saved states: what such a state says of its size is checked before room is made
// for it. The header that has the name comes first, so that it is replaced in their own text only.
#pragma once

#include "../binding/state_limit.h"
#include "llama-batch.h"

#define ubatch_reserve(cells, sequences) ubatch_reserve(StateLimit::Cells(cells), sequences)
