// Text to tokens and back, for JavaScript; several texts at once where asked.
#pragma once

#include "node_api.h"

Napi::Value Tokenize(
    const Napi::CallbackInfo& info);  // (model, texts, addSpecial, parseSpecial) => Promise<Int32Array[]>
Napi::Value TokenizeSync(
    const Napi::CallbackInfo& info);  // (model, text, addSpecial, parseSpecial) => Int32Array
Napi::Value Detokenize(const Napi::CallbackInfo&
                           info);  // (model, Int32Array[], removeSpecial, renderSpecial) => Promise<string[]>
Napi::Value GetTokenText(
    const Napi::CallbackInfo& info);  // (model, token) => { text, control, endOfGeneration }
