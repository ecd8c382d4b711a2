#include "quantize.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "arguments.h"
#include "backend.h"
#include "engine_process.h"
#include "llama.h"
#include "model.h"
#include "promise_worker.h"
#include "quantization_job.h"

namespace {

using Clock = std::chrono::steady_clock;

// Rows of a tensor that are in memory at once. llama.cpp would take 8 GiB; with this, reading and
// dequantizing one piece takes milliseconds too, so that a cancelled quantization ends soon.
constexpr size_t piece_bytes = size_t{64} << 20;

constexpr int64_t progress_interval_ms = 50;

constexpr int most_layers = 512;  // LLAMA_MAX_LAYERS

// What JavaScript hears of, posted from the threads that quantize.
class ProgressReporter {
 public:
  ProgressReporter(std::shared_ptr<JsQueue> queue, std::shared_ptr<Napi::FunctionReference> listener)
      : queue_(std::move(queue)), listener_(std::move(listener)) {}

  void Begin(int tensor) {
    tensor_ = tensor;
    weights_ = 0;
    Post();
  }

  void Advance(int64_t weights) {
    Progress::Advance();
    weights_ += weights;
    const int64_t now = Milliseconds();
    int64_t next = next_;
    if (now < next || !next_.compare_exchange_strong(next, now + progress_interval_ms)) return;
    Post();
  }

 private:
  static int64_t Milliseconds() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
  }

  void Post() {
    queue_->Post([listener = listener_, tensor = tensor_.load(), weights = weights_.load()](Napi::Env env) {
      if (listener->IsEmpty()) return;  // the call is settled
      listener->Call({Napi::Number::New(env, tensor), Napi::Number::New(env, static_cast<double>(weights))});
    });
  }

  std::shared_ptr<JsQueue> queue_;
  std::shared_ptr<Napi::FunctionReference> listener_;  // touched on the JavaScript thread only
  std::atomic<int> tensor_{0};
  std::atomic<int64_t> weights_{0};
  std::atomic<int64_t> next_{0};
};

// Parameters for llama.cpp, and what their pointers point to.
struct QuantizeRequest {
  std::string input;
  std::string output;
  llama_model_quantize_params params = llama_model_quantize_default_params();
  std::deque<std::string> texts;
  std::deque<std::vector<float>> importances;
  std::vector<llama_model_imatrix_data> imatrix;
  std::vector<llama_model_tensor_override> tensor_types;
  std::vector<llama_model_kv_override> metadata;
  std::vector<int32_t> pruned_layers;
  std::shared_ptr<CancelFlag> cancelled;
  std::shared_ptr<Napi::FunctionReference> on_progress;
  std::unique_ptr<ProgressReporter> reporter;

  const char* Keep(std::string text) { return texts.emplace_back(std::move(text)).c_str(); }
};

ggml_type ReadType(const Napi::Object& options, const char* name) {
  return static_cast<ggml_type>(ReadInteger(options, name, GGML_TYPE_COUNT, 0, GGML_TYPE_COUNT));
}

// An option that is an array, empty if it is left out.
Napi::Array ReadArray(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (value.IsUndefined()) return Napi::Array::New(options.Env());
  if (!value.IsArray()) throw Failure("INVALID_ARGUMENT", std::string("Expected an array for ") + name + ".");
  return value.As<Napi::Array>();
}

void ReadImatrix(const Napi::Object& options, QuantizeRequest& request) {
  const Napi::Array entries = ReadArray(options, "imatrix");
  if (entries.Length() == 0) return;
  for (uint32_t i = 0; i < entries.Length(); i++) {
    auto entry = entries.Get(i).As<Napi::Object>();
    const Napi::Value values = entry.Get("values");
    if (!values.IsTypedArray() || values.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
      throw Failure("INVALID_ARGUMENT", "Expected a Float32Array for the values of an importance matrix.");
    auto floats = values.As<Napi::Float32Array>();
    // Copied: JavaScript may change or detach its array while threads read here.
    const auto& kept =
        request.importances.emplace_back(floats.Data(), floats.Data() + floats.ElementLength());
    request.imatrix.push_back(
        {request.Keep(ReadString(entry.Get("name"), "name")), kept.data(), kept.size()});
  }
  request.imatrix.push_back({nullptr, nullptr, 0});
  request.params.imatrix = request.imatrix.data();
}

void ReadTensorTypes(const Napi::Object& options, QuantizeRequest& request) {
  const Napi::Array entries = ReadArray(options, "tensorTypes");
  if (entries.Length() == 0) return;
  for (uint32_t i = 0; i < entries.Length(); i++) {
    auto entry = entries.Get(i).As<Napi::Object>();
    const auto type = static_cast<ggml_type>(ReadInteger(entry.Get("type"), "type", 0, GGML_TYPE_COUNT - 1));
    request.tensor_types.push_back({request.Keep(ReadString(entry.Get("pattern"), "pattern")), type});
  }
  request.tensor_types.push_back({nullptr, GGML_TYPE_COUNT});
  request.params.tt_overrides = request.tensor_types.data();
}

void ReadPrunedLayers(const Napi::Object& options, QuantizeRequest& request) {
  const Napi::Array layers = ReadArray(options, "pruneLayers");
  if (layers.Length() == 0) return;
  for (uint32_t i = 0; i < layers.Length(); i++)
    request.pruned_layers.push_back(ReadInteger(layers.Get(i), "pruneLayers", 0, most_layers - 1));
  request.pruned_layers.push_back(-1);
  request.params.prune_layers = request.pruned_layers.data();
}

// Numbers become uint32 in the file, as in llama-quantize.
void ReadMetadata(const Napi::Object& options, QuantizeRequest& request) {
  const Napi::Array entries = ReadArray(options, "metadata");
  if (entries.Length() == 0) return;
  for (uint32_t i = 0; i < entries.Length(); i++) {
    auto entry = entries.Get(i).As<Napi::Object>();
    llama_model_kv_override override{};
    const std::string key = ReadString(entry.Get("key"), "key");
    const Napi::Value value = entry.Get("value");
    std::strncpy(override.key, key.c_str(), sizeof(override.key) - 1);
    if (value.IsString()) {
      override.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
      const std::string text = value.As<Napi::String>().Utf8Value();
      std::strncpy(override.val_str, text.c_str(), sizeof(override.val_str) - 1);
    } else {
      override.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
      override.val_i64 = ReadInteger(value, "value", 0, INT32_MAX);
    }
    request.metadata.push_back(override);
  }
  request.metadata.emplace_back();
  request.params.kv_overrides = request.metadata.data();
}

void ReadOptions(const Napi::Object& options, QuantizeRequest& request) {
  llama_model_quantize_params& params = request.params;
  params.ftype = static_cast<llama_ftype>(ReadInteger(options.Get("fileType"), "fileType", 0, 1023));
  params.nthread = ReadInteger(options.Get("threads"), "threads", 1, 512);
  params.output_tensor_type = ReadType(options, "outputTensorType");
  params.token_embedding_type = ReadType(options, "tokenEmbeddingType");
  params.allow_requantize = ReadBool(options.Get("allowRequantize"), false);
  params.quantize_output_tensor = !ReadBool(options.Get("leaveOutputTensor"), false);
  params.only_copy = ReadBool(options.Get("onlyCopy"), false);
  params.pure = ReadBool(options.Get("pure"), false);
  params.keep_split = ReadBool(options.Get("keepSplit"), false);
  params.dry_run = ReadBool(options.Get("dryRun"), false);
  params.max_buf_size = piece_bytes;
  ReadImatrix(options, request);
  ReadTensorTypes(options, request);
  ReadPrunedLayers(options, request);
  ReadMetadata(options, request);
}

[[noreturn]] void ThrowWriteError(const std::string& path, int error) {
  const bool is_full = error == ENOSPC || error == EFBIG
#ifdef EDQUOT
                       || error == EDQUOT
#endif
      ;
  if (is_full) throw Failure("DISK_FULL", "The disk became full while " + path + " was written.");
  const std::string reason =
      error == 0 ? "the system gave no reason" : std::generic_category().message(error);
  throw Failure("FILE_ACCESS_FAILED", path + " could not be written: " + reason + ".");
}

std::string RunQuantization(QuantizeRequest& request) {
  std::string log;
  QuantizationJob job(*request.cancelled, request.params.nthread,
                      [&request](int64_t weights) { request.reporter->Advance(weights); });
  uint32_t status = 1;
  {
    // The line that begins a tensor is also a place to stop: a dry run passes no other.
    const LogListener listener([&](const char* text) {
      log += text;
      int tensor = 0;
      int count = 0;
      if (std::sscanf(text, "[%d/%d]", &tensor, &count) != 2) return;
      job.StopIfCancelled();
      if (!request.params.dry_run) request.reporter->Begin(tensor);
    });
    const QuantizationJob::Scope scope(&job);
    try {
      status = llama_model_quantize(request.input.c_str(), request.output.c_str(), &request.params);
    } catch (const std::exception& error) {
      // From a log call on its way out.
      log += error.what();
    }
  }
  if (request.cancelled->load()) throw Failure("ABORTED", "The quantization was cancelled.");
  if (status == 0) return log;
  if (job.WriteError() != 0) ThrowWriteError(request.output, job.WriteError());
  throw Failure("QUANTIZATION_FAILED", log);
}

}  // namespace

Napi::Value Quantize(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto request = std::make_shared<QuantizeRequest>();
  request->input = ReadString(info[0], "input");
  request->output = ReadString(info[1], "output");
  if (!info[2].IsObject()) throw Failure("INVALID_ARGUMENT", "Expected an object for options.");
  ReadOptions(info[2].As<Napi::Object>(), *request);
  request->cancelled = Unwrap<CancelFlag>(info[3]);
  request->on_progress =
      std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[4].As<Napi::Function>()));
  request->reporter = std::make_unique<ProgressReporter>(Environment::Of(env).queue, request->on_progress);

  return RunAsync(
      env, TaskExecutor(env), [request] { return RunQuantization(*request); },
      [on_progress = request->on_progress](Napi::Env js_env, const std::string& log) {
        on_progress->Reset();
        return Napi::String::New(js_env, log);
      },
      "QUANTIZATION_FAILED");
}
