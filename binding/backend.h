// ggml backends, devices and llama.cpp's log: process-wide state that all environments share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "node_api.h"

// Loads the backend libraries that lie beside the addon, once per process. A static build has its own built
// in.
void LoadBackends(const std::string& directory);

// Collects what llama.cpp logs as a warning or an error on this thread while it exists: the only place where
// the reason of most failures is told.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::string Text() const;
};

// Takes what llama.cpp logs on this thread while it exists, in place of the log that all share: a
// quantization writes lines by the hundred. Errors are kept in that log all the same.
class LogListener {
 public:
  explicit LogListener(std::function<void(const char* text)> listener);
  ~LogListener();
  LogListener(const LogListener&) = delete;
  LogListener& operator=(const LogListener&) = delete;

 private:
  std::function<void(const char* text)> listener_;
};

// From now on, and with what there is already, the log goes to standard error too: there it outlives this
// process.
void EchoLog();

Napi::Value GetDevices(const Napi::CallbackInfo& info);     // () => Device[]
Napi::Value GetSystemInfo(const Napi::CallbackInfo& info);  // () => { llamaCppVersion, cpuFeatures, log }
