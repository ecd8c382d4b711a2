#include "text_stream.h"

#include <algorithm>
#include <utility>

size_t UnfinishedCharacterLength(std::string_view bytes) {
  const size_t longest = std::min<size_t>(3, bytes.size());
  for (size_t length = 1; length <= longest; length++) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - length]);
    if ((byte & 0xC0) == 0x80) continue;  // a continuation byte: look further back for the first one
    const size_t needed = byte >= 0xF0 && byte < 0xF8 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return byte < 0xF8 && needed > length ? length : 0;
  }
  return 0;
}

TextStream::TextStream(std::vector<std::string> stop_strings) : stop_strings_(std::move(stop_strings)) {
  for (const std::string& stop : stop_strings_) longest_stop_ = std::max(longest_stop_, stop.size());
}

std::string TextStream::Append(std::string_view bytes) {
  if (stopped_ >= 0) return "";
  // A stop string can only end in the new bytes, so it begins at most its length before them.
  const size_t search_from = pending_.size() >= longest_stop_ ? pending_.size() - longest_stop_ : 0;
  pending_.append(bytes);

  size_t earliest = std::string::npos;
  for (size_t i = 0; i < stop_strings_.size(); i++) {
    const size_t position = pending_.find(stop_strings_[i], search_from);
    if (position < earliest) {
      earliest = position;
      stopped_ = static_cast<int>(i);
    }
  }
  if (stopped_ >= 0) {
    std::string text = pending_.substr(0, earliest);
    pending_.clear();
    return text;
  }

  size_t certain = pending_.size() - StopPrefixLength();
  certain -= UnfinishedCharacterLength(std::string_view(pending_).substr(0, certain));
  std::string text = pending_.substr(0, certain);
  pending_.erase(0, certain);
  return text;
}

std::string TextStream::Flush() {
  return std::exchange(pending_, "");
}

// The length of the longest end of the pending text that is the beginning of a stop string.
size_t TextStream::StopPrefixLength() const {
  if (longest_stop_ == 0) return 0;
  for (size_t length = std::min(longest_stop_ - 1, pending_.size()); length > 0; length--) {
    const std::string_view end = std::string_view(pending_).substr(pending_.size() - length);
    for (const std::string& stop : stop_strings_) {
      if (stop.size() > length && std::string_view(stop).substr(0, length) == end) return length;
    }
  }
  return 0;
}
