#include "adapter.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>

#include "arguments.h"
#include "backend.h"
#include "errors.h"
#include "promise_worker.h"

namespace {

std::shared_ptr<Adapter> Load(const std::shared_ptr<Model>& model, const std::string& path,
                              std::string fingerprint) {
  const std::unique_lock<std::mutex> list = model->ExtendAdapters();
  LogCapture log;
  llama_adapter_lora* loaded = nullptr;
  try {
    loaded = llama_adapter_lora_init(model->model, path.c_str());
  } catch (const std::exception& error) {
    throw Failure("MODEL_LOAD_FAILED", std::string(error.what()) + "\n" + log.Text());
  }
  if (loaded == nullptr) throw Failure("MODEL_LOAD_FAILED", log.Text());
  return std::make_shared<Adapter>(model, loaded, std::move(fingerprint));
}

}  // namespace

std::vector<AppliedAdapter> ReadAdapters(const Napi::Object& options, const std::shared_ptr<Model>& model) {
  const Napi::Value value = options.Get("adapters");
  if (value.IsUndefined()) return {};
  if (!value.IsArray()) throw Failure("INVALID_ARGUMENT", "Expected an array of { adapter, scale }.");
  auto array = value.As<Napi::Array>();
  std::vector<AppliedAdapter> adapters;
  adapters.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject())
      throw Failure("INVALID_ARGUMENT", "Expected an object { adapter, scale } for each adapter.");
    auto object = item.As<Napi::Object>();
    AppliedAdapter applied{Unwrap<Adapter>(object.Get("adapter")), ReadFloat(object, "scale", 1, -100, 100)};
    if (applied.adapter->model.lock() != model)
      throw Failure("INVALID_ARGUMENT",
                    "Expected an adapter of the context's own model; received another model's.");
    // llama.cpp would leave the second one out without a word.
    const bool is_there =
        std::any_of(adapters.begin(), adapters.end(),
                    [&applied](const AppliedAdapter& other) { return other.adapter == applied.adapter; });
    if (is_there) throw Failure("INVALID_ARGUMENT", "Expected each adapter once; received one twice.");
    adapters.push_back(std::move(applied));
  }
  return adapters;
}

void ApplyAdapters(llama_context* context, const std::vector<AppliedAdapter>& adapters) {
  if (adapters.empty()) return;
  std::vector<llama_adapter_lora*> pointers;
  std::vector<float> scales;
  for (const AppliedAdapter& applied : adapters) {
    pointers.push_back(applied.adapter->adapter);
    scales.push_back(applied.scale);
  }
  llama_set_adapters_lora(context, pointers.data(), pointers.size(), scales.data());
}

std::string DescribeAdapters(const std::vector<AppliedAdapter>& adapters) {
  std::vector<std::string> parts;
  for (const AppliedAdapter& applied : adapters) {
    if (applied.scale == 0) continue;
    uint32_t bits = 0;
    std::memcpy(&bits, &applied.scale, sizeof(bits));
    parts.push_back(applied.adapter->fingerprint + "*" + std::to_string(bits) + ";");
  }
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

Napi::Value LoadAdapter(const Napi::CallbackInfo& info) {
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  if (model->vocab_only) {
    throw Failure("NO_WEIGHTS",
                  "The model was loaded with vocabOnly; load it without that option to use adapters.");
  }
  std::string path = ReadString(info[1], "path");
  std::string fingerprint = ReadString(info[2], "fingerprint");
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [model = std::move(model), path = std::move(path), fingerprint = std::move(fingerprint)] {
        return Load(model, path, fingerprint);
      },
      [](Napi::Env env, std::shared_ptr<Adapter>& adapter) { return WrapHandle(env, std::move(adapter)); },
      "MODEL_LOAD_FAILED");
}
