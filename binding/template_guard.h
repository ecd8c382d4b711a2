// Refuses chat templates that would overflow the stack of llama.cpp's template engine, which ends the
// process.
#pragma once

#include <string>

// Throws CHAT_TEMPLATE_FAILED for a template with a syntax error, one that is too large or nested too deep,
// or one with a macro that calls itself whatever its arguments. What is not found here spends the budget of
// the rendering; see work_budget.h.
void CheckTemplate(const std::string& source);
