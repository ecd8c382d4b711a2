// Refuses chat templates that would overflow the stack of llama.cpp's template engine, which ends the
// process.
#pragma once

#include <string>

// Throws CHAT_TEMPLATE_FAILED for a template with a syntax error, one that is too large or nested too deep,
// or one with a macro that calls itself whatever its arguments. A macro whose own condition never becomes
// false is not found: only an isolated process stops that.
void CheckTemplate(const std::string& source);
