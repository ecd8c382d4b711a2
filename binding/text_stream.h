// Turns the bytes of tokens into text that may be shown: whole characters only, and nothing that may be the
// beginning of a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stop_strings);

  // Takes the bytes of one more token; returns the text that has become certain.
  std::string Append(std::string_view bytes);

  // The index of the stop string that was met, or -1. After it, no more text comes.
  int Stopped() const { return stopped_; }

  // The end of generation: what was held back. Bytes that never became a character are replaced when decoded.
  std::string Flush();

 private:
  size_t StopPrefixLength() const;

  std::vector<std::string> stop_strings_;
  size_t longest_stop_ = 0;
  std::string pending_;
  int stopped_ = -1;
};

// The length of an unfinished UTF-8 character at the end of `bytes`, 0 to 3.
size_t UnfinishedCharacterLength(std::string_view bytes);
