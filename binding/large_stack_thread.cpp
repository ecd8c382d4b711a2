#include "large_stack_thread.h"

#include <memory>
#include <system_error>
#include <utility>

#if defined(_WIN32)
#include <process.h>
#include <windows.h>
#else
#include <pthread.h>
#endif

namespace {

// Reserved, not used: the system provides the pages that are touched.
constexpr size_t stack_bytes = size_t{64} << 20;

using Body = std::function<void()>;

void RunBody(void* argument) {
  const std::unique_ptr<Body> body(static_cast<Body*>(argument));
  (*body)();
}

}  // namespace

void StartLargeStackThread(std::function<void()> body) {
  auto owned = std::make_unique<Body>(std::move(body));
#if defined(_WIN32)
  const uintptr_t thread = _beginthreadex(
      nullptr, stack_bytes,
      [](void* argument) -> unsigned {
        RunBody(argument);
        return 0;
      },
      owned.get(), STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (thread == 0) throw std::system_error(errno, std::generic_category(), "no thread could be started");
  CloseHandle(reinterpret_cast<HANDLE>(thread));
#else
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int error = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        RunBody(argument);
        return nullptr;
      },
      owned.get());
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::system_error(error, std::generic_category(), "no thread could be started");
#endif
  static_cast<void>(owned.release());  // the thread's now
}
