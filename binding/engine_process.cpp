#include "engine_process.h"

#include <cerrno>
#include <cstdlib>
#include <limits>
#include <thread>

#include "arguments.h"
#include "backend.h"
#include "errors.h"
#include "parent_pipe.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/prctl.h>

#include <csignal>
#endif

namespace {

// Waits in a thread of its own, since the JavaScript thread of a process that hangs hears of nothing.
#if defined(_WIN32)
// A descriptor of Node.js means nothing to the C runtime of this library.
void WatchParent(int32_t, int32_t parent) {
  HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(parent));
  if (process == nullptr) throw Failure("INTERNAL", "The parent process could not be opened.");
  std::thread([process] {
    WaitForSingleObject(process, INFINITE);
    TerminateProcess(GetCurrentProcess(), 1);
  }).detach();
}
#else
void WatchParent(int32_t descriptor, int32_t) {
#if defined(__linux__)
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // ends also a process that was stopped and runs no thread
#endif
  if (descriptor < 0) return;  // Electron ends its utility processes by itself
  std::thread([descriptor] {
    char byte = 0;
    ssize_t count = 0;
    do {
      count = read(descriptor, &byte, 1);
    } while (count > 0 || (count < 0 && errno == EINTR));
    _exit(1);
  }).detach();
}
#endif

}  // namespace

Napi::Value ServeParent(const Napi::CallbackInfo& info) {
  constexpr int32_t largest = std::numeric_limits<int32_t>::max();
  WatchParent(ReadInteger(info[0], "lifeline", -1, largest), ReadInteger(info[1], "parent", 0, largest));
  const int32_t answers = ReadInteger(info[2], "answers", -1, largest);
  if (answers >= 0) ParentPipe::Open(answers);
  EchoLog();
  return info.Env().Undefined();
}

Napi::Value GetProgress(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Progress::Count()));
}
