// Keeps objects of static storage duration alive until the process is gone. Threads of ours may still run
// while it exits: ones that could not be interrupted are left behind (environment.h), and they read tables of
// the template engine that exit() would destroy under them.
//
// The compiler registers the destructor of each such object through __cxa_atexit. The linker sends these
// calls here (cmake/keep-statics.cmake). Other libraries of the process are not affected. Clang has an option
// for the same, and Windows ends all other threads before it runs destructors.
#if defined(__GNUC__) && !defined(__APPLE__)

extern "C" int __wrap___cxa_atexit(void (*)(void*), void*, void*) {  // NOLINT(bugprone-reserved-identifier)
  return 0;
}

#endif
