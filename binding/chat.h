// Rendering a conversation with a Jinja chat template, through llama.cpp's own template engine, and reading
// what the model answers in the format of that template.
#pragma once

#include "node_api.h"

// (model, messagesJson, options) => Promise<{ prompt, generationPrompt, stops, tokens?, ... }>
Napi::Value ApplyChatTemplate(const Napi::CallbackInfo& info);
