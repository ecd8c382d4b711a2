// A look at a grammar in GBNF before llama.cpp sees it. llama.cpp parses it by recursion, prints what is
// wrong to standard error, and expands rules without a limit; so what would end the process or run for hours
// is refused here.
#pragma once

#include <string>

struct GrammarTraits {
  bool names_tokens = false;  // has elements such as <[42]>, which match a token whatever its text
};

// Throws INVALID_GRAMMAR with the reason and the place.
GrammarTraits CheckGrammar(const std::string& text);
