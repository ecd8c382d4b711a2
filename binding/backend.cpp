#include "backend.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <utility>

#include "errors.h"
#include "ggml-backend.h"
#include "llama.h"
#include "log.h"
#include "quantization_job.h"

namespace {

constexpr size_t kept_log_lines = 200;

std::mutex log_mutex;
std::deque<std::string>& LogLines() {
  static auto* lines =
      new std::deque<std::string>();  // never destroyed: threads may log while the process exits
  return *lines;
}

thread_local std::string* captured = nullptr;
thread_local const std::function<void(const char* text)>* listening = nullptr;
std::atomic<bool> echoes{false};

void OnLog(ggml_log_level level, const char* text, void*) {
  if (captured != nullptr && (level == GGML_LOG_LEVEL_ERROR || level == GGML_LOG_LEVEL_WARN))
    *captured += text;
  if (listening != nullptr) (*listening)(text);
  if (level == GGML_LOG_LEVEL_DEBUG || (listening != nullptr && level != GGML_LOG_LEVEL_ERROR)) return;
  if (echoes) fputs(text, stderr);
  std::lock_guard<std::mutex> lock(log_mutex);
  std::deque<std::string>& lines = LogLines();
  if (level == GGML_LOG_LEVEL_CONT && !lines.empty()) {
    lines.back() += text;
    return;
  }
  lines.emplace_back(text);
  if (lines.size() > kept_log_lines) lines.pop_front();
}

// A failed assertion ends the process, except where it can be an exception: in a quantization, whose threads
// hold nothing that others need.
void OnAbort(const char* message) {
  if (QuantizationJob::Current() != nullptr) {
    OnLog(GGML_LOG_LEVEL_ERROR, message, nullptr);
    throw AssertionFailed(message);
  }
  fputs(message, stderr);
  fputc('\n', stderr);
}

const char* KindName(enum ggml_backend_dev_type type) {
  switch (type) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU:
      return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return "igpu";
    default:
      return "accelerator";
  }
}

std::string CpuFeatures() {
  std::string features;
  for (size_t i = 0; i < ggml_backend_reg_count(); i++) {
    ggml_backend_reg_t reg = ggml_backend_reg_get(i);
    auto get_features = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(reg, "ggml_backend_get_features"));
    if (get_features == nullptr || std::string(ggml_backend_reg_name(reg)) != "CPU") continue;
    for (const ggml_backend_feature* feature = get_features(reg); feature->name != nullptr; feature++) {
      if (std::string(feature->value) == "0") continue;
      features += (features.empty() ? "" : " ") + std::string(feature->name);
    }
  }
  return features;
}

#ifdef GGML_BACKEND_DL
// ggml keeps silent about a library that is there and cannot be loaded, such as one whose CUDA runtime is
// missing. Loading it once more, by name, puts the reason into the log.
void TellUnloadedBackends(const std::string& directory) {
#if defined(_WIN32)
  const std::string prefix = "ggml-", suffix = ".dll";
#else
  const std::string prefix = "libggml-", suffix = ".so";
#endif
  const std::pair<const char*, const char*> backends[] = {
      {"cuda", "CUDA"}, {"vulkan", "Vulkan"}, {"hip", "ROCm"}, {"sycl", "SYCL"}};
  for (const auto& [file, name] : backends) {
    const std::filesystem::path path =
        std::filesystem::u8path(directory) / (prefix + std::string(file) + suffix);
    std::error_code ignored;
    if (ggml_backend_reg_by_name(name) == nullptr && std::filesystem::exists(path, ignored)) {
      ggml_backend_load(path.u8string().c_str());
    }
  }
}
#endif

}  // namespace

LogCapture::LogCapture() {
  delete captured;
  captured = new std::string();
}

LogCapture::~LogCapture() {
  delete captured;
  captured = nullptr;
}

std::string LogCapture::Text() const {
  std::string text = captured != nullptr ? *captured : "";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

LogListener::LogListener(std::function<void(const char* text)> listener) : listener_(std::move(listener)) {
  listening = &listener_;
}

LogListener::~LogListener() {
  listening = nullptr;
}

void EchoLog() {
  std::lock_guard<std::mutex> lock(log_mutex);
  for (const std::string& line : LogLines()) fputs(line.c_str(), stderr);
  echoes = true;
}

void LoadBackends(const std::string& directory) {
  static std::once_flag once;
  std::call_once(once, [&directory] {
#ifndef _WIN32
    // An assertion that fails would start a debugger on this process. In a worker thread JavaScript's
    // process.env is a copy, so it is set here.
    setenv("GGML_NO_BACKTRACE", "1", 0);  // NOLINT(concurrency-mt-unsafe): once, before any thread of ours
#endif
    llama_log_set(OnLog, nullptr);
    ggml_set_abort_callback(OnAbort);
    common_log_set_verbosity_thold(-1);  // llama-common prints to standard error by itself otherwise
#ifdef GGML_BACKEND_DL
    ggml_backend_load_all_from_path(directory.c_str());
    TellUnloadedBackends(directory);
#else
    (void)directory;
#endif
    llama_backend_init();
  });
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) {
    throw Failure(
        "ADDON_LOAD_FAILED",
        "The addon was loaded, but none of its processor libraries (libggml-cpu-*) fits this machine or "
        "they are missing from " +
            directory + ". Reinstall the package, or run: npx llama-native build");
  }
}

Napi::Value GetDevices(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto devices = Napi::Array::New(env);
  for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    ggml_backend_dev_props properties{};
    ggml_backend_dev_get_props(device, &properties);
    auto entry = Napi::Object::New(env);
    entry.Set("name", properties.name);
    entry.Set("description", properties.description);
    entry.Set("kind", KindName(properties.type));
    entry.Set("backend", ggml_backend_reg_name(ggml_backend_dev_backend_reg(device)));
    entry.Set("freeBytes", static_cast<double>(properties.memory_free));
    entry.Set("totalBytes", static_cast<double>(properties.memory_total));
    devices.Set(static_cast<uint32_t>(i), entry);
  }
  return devices;
}

Napi::Value GetSystemInfo(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto result = Napi::Object::New(env);
  result.Set("llamaCppVersion", llama_version());
  result.Set("cpuFeatures", CpuFeatures());
  result.Set("supportsGpuOffload", llama_supports_gpu_offload());
  auto lines = Napi::Array::New(env);
  std::lock_guard<std::mutex> lock(log_mutex);
  uint32_t index = 0;
  for (const std::string& line : LogLines()) lines.Set(index++, line);
  result.Set("log", lines);
  return result;
}
