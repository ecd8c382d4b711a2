// Embeddings and scores: whole texts through a context that was created with a pooling, many of them in one
// batch.
#pragma once

#include "llama.h"
#include "node_api.h"

// Reads the option `pooling`, if it is there: such a context computes embeddings, or scores with `rank`.
void ReadPooling(const Napi::Object& options, llama_context_params& params);

Napi::Value Embed(const Napi::CallbackInfo& info);  // (context, texts) => Promise<Float32Array[]>
