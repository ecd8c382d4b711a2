// Keeping the text of a user apart from control tokens: `<|im_start|>` in it is read as these twelve
// characters.
#pragma once

#include <string>
#include <vector>

#include "model.h"
#include "node_api.h"

// Tokenizes a rendered prompt in which `mark` was put into every text of a control token, or of a
// user-defined one that is like it, that a caller wrote. The marks are taken out of `prompt`; a stretch of
// text with one in it is read without control tokens, and without the user-defined ones that have a mark. All
// others are read as usual. Without a mark the tokens are those of the whole prompt.
std::vector<llama_token> TokenizeMarked(const Model& model, std::string& prompt, const std::string& mark);

// (model) => { text, isUserDefined }[]: what control tokens and user-defined ones are written as.
Napi::Value GetControlTexts(const Napi::CallbackInfo& info);
