// Rendering a conversation with a Jinja chat template, through llama.cpp's own template engine.
#pragma once

#include "node_api.h"

// (model, messagesJson, options) => Promise<{ prompt, generationPrompt, stops }>
Napi::Value ApplyChatTemplate(const Napi::CallbackInfo& info);
