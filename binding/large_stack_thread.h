// Threads with room for deep recursion: llama.cpp's template engine and the regular expressions of some
// tokenizers recurse, and a secondary thread has as little as 512 KiB of stack on macOS and 1 MiB on Windows.
#pragma once

#include <functional>

// Starts a thread that nobody joins. Throws std::system_error if the system has no more threads.
void StartLargeStackThread(std::function<void()> body);
