// Evaluating texts for their own sake: how well a model predicts them, and what goes through its matrices
// meanwhile. Both in contexts of their own, made with `separateSequences` and, for the second, `collects`.
#pragma once

#include "node_api.h"

Napi::Value ScoreWindows(const Napi::CallbackInfo& info);  // (context, request) => Promise<scores>
Napi::Value GetImatrix(const Napi::CallbackInfo& info);    // (context) => Promise<{ name, sums, counts }[]>
