// Ranking: a head on top of a model that gives a text a score, or one for each of several labels.
#pragma once

#include "llama.h"
#include "model.h"
#include "node_api.h"

// How many numbers the model's head gives for a text; 0 if it has none that llama.cpp can read them from.
uint32_t ClassifierOutputs(const Model& model);

// Throws MODEL_UNSUPPORTED for a context that ranks with a model that cannot.
void CheckRanking(const Model& model, const llama_context_params& params);

// What of getModelInfo is needed to rank: the head, and which special tokens stand around texts.
void DescribeRanking(const Model& model, Napi::Object& result);
