#include "model.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <chrono>
#include <utility>

#include "arguments.h"
#include "backend.h"
#include "engine_process.h"
#include "promise_worker.h"
#include "ranking.h"

void ReleaseLatch::Set() {
  std::lock_guard<std::mutex> lock(mutex_);
  released_ = true;
  changed_.notify_all();
}

void ReleaseLatch::Wait(const std::atomic<bool>& cancelled) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!released_ && !cancelled) changed_.wait_for(lock, std::chrono::milliseconds(20));
}

Model::Model(llama_model* loaded, bool only_vocabulary)
    : model(loaded),
      vocabulary(llama_model_get_vocab(loaded)),
      vocabulary_size(llama_vocab_n_tokens(vocabulary)),
      vocab_only(only_vocabulary),
      released(std::make_shared<ReleaseLatch>()) {}

Model::~Model() {
  llama_model_free(model);
#if defined(__GLIBC__)
  malloc_trim(0);  // contexts are gone by now too; glibc would keep what their threads freed
#endif
  released->Set();
}

std::unique_lock<std::mutex> Model::ExtendAdapters() {
  std::unique_lock<std::mutex> lock(adapters_mutex_);
  if (adapters_closed_)
    throw Failure("INVALID_ARGUMENT", "Expected adapters to be loaded before the model's first context.");
  return lock;
}

void Model::CloseAdapterList() {
  const std::lock_guard<std::mutex> lock(adapters_mutex_);
  adapters_closed_ = true;
}

const std::vector<llama_token>& Model::EndTokens() const {
  std::call_once(end_tokens_once_, [this] {
    for (llama_token token = 0; token < vocabulary_size; token++) {
      if (llama_vocab_is_eog(vocabulary, token)) end_tokens_.push_back(token);
    }
  });
  return end_tokens_;
}

const TokenTree& Model::Tree() const {
  std::call_once(tree_once_, [this] {
    std::vector<std::string> pieces;
    for (llama_token token = 0; token < vocabulary_size; token++) pieces.push_back(Piece(token, true));
    for (const llama_token token : EndTokens()) pieces[token].clear();
    tree_ = std::make_unique<TokenTree>(pieces);
  });
  return *tree_;
}

Napi::Value CreateCancelFlag(const Napi::CallbackInfo& info) {
  return WrapHandle(info.Env(), Environment::Of(info.Env()).NewCancelFlag());
}

Napi::Value SetCancelFlag(const Napi::CallbackInfo& info) {
  Unwrap<CancelFlag>(info[0])->store(true);
  return info.Env().Undefined();
}

namespace {

struct LoadRequest {
  std::string path;
  llama_model_params params = llama_model_default_params();
  std::shared_ptr<CancelFlag> cancelled;
  std::shared_ptr<JsQueue> queue;
  std::shared_ptr<Napi::FunctionReference> on_progress;  // touched on the JavaScript thread only
  int reported_percent = -1;
};

bool OnLoadProgress(float fraction, void* user_data) {
  Progress::Advance();
  auto* request = static_cast<LoadRequest*>(user_data);
  if (request->cancelled->load()) return false;
  const int percent = static_cast<int>(fraction * 100);
  if (percent != request->reported_percent) {
    request->reported_percent = percent;
    request->queue->Post([on_progress = request->on_progress, fraction](Napi::Env env) {
      on_progress->Call({Napi::Number::New(env, fraction)});
    });
  }
  return true;
}

std::shared_ptr<Model> Load(LoadRequest& request) {
  LogCapture log;
  llama_model* loaded = nullptr;
  try {
    loaded = llama_model_load_from_file(request.path.c_str(), request.params);
  } catch (const std::exception& error) {
    throw Failure("MODEL_LOAD_FAILED", std::string(error.what()) + "\n" + log.Text());
  }
  if (request.cancelled->load()) {
    if (loaded != nullptr) llama_model_free(loaded);
    throw Failure("ABORTED", "Loading the model was cancelled.");
  }
  if (loaded == nullptr) throw Failure("MODEL_LOAD_FAILED", log.Text());
  return std::make_shared<Model>(loaded, request.params.vocab_only);
}

std::string MetadataText(const llama_model* model, int32_t index, bool key) {
  auto* read = key ? llama_model_meta_key_by_index : llama_model_meta_val_str_by_index;
  std::string text(255, '\0');
  int32_t length = read(model, index, text.data(), text.size() + 1);
  if (length > static_cast<int32_t>(text.size())) {
    text.resize(length);
    length = read(model, index, text.data(), text.size() + 1);
  }
  text.resize(length < 0 ? 0 : length);
  return text;
}

Napi::Value TokenOrUndefined(Napi::Env env, llama_token token) {
  return token == LLAMA_TOKEN_NULL ? env.Undefined() : Napi::Number::New(env, token);
}

}  // namespace

Napi::Value LoadModel(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto request = std::make_shared<LoadRequest>();
  request->path = ReadString(info[0], "path");
  auto options = info[1].As<Napi::Object>();
  request->params.n_gpu_layers = ReadInteger(options, "gpuLayers", -1, -1, 100000);
  request->params.vocab_only = ReadBool(options.Get("vocabOnly"), false);
  request->params.check_tensors = ReadBool(options.Get("checkTensors"), false);
  if (!ReadBool(options.Get("memoryMap"), true)) request->params.load_mode = LLAMA_LOAD_MODE_NONE;
  request->cancelled = Unwrap<CancelFlag>(info[2]);
  request->queue = Environment::Of(env).queue;
  request->on_progress =
      std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[3].As<Napi::Function>()));
  request->params.progress_callback = OnLoadProgress;
  request->params.progress_callback_user_data = request.get();

  return RunAsync(
      env, TaskExecutor(env), [request] { return Load(*request); },
      [request](Napi::Env js_env, std::shared_ptr<Model>& model) {
        request->on_progress->Reset();
        return WrapHandle(js_env, std::move(model));
      },
      "MODEL_LOAD_FAILED");
}

Napi::Value CloseModel(const Napi::CallbackInfo& info) {
  Handle<Model>& handle = HandleOf<Model>(info[0]);
  std::shared_ptr<Model> model = std::move(handle.object);
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [model = std::move(model), cancelled = Environment::Of(info.Env()).NewCancelFlag()]() mutable {
        if (model) {
          std::shared_ptr<ReleaseLatch> released = model->released;
          model.reset();
          released->Wait(*cancelled);  // work in flight still holds the model
        }
        return Nothing{};
      },
      ToUndefined);
}

Napi::Value GetModelInfo(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::shared_ptr<Model> handle = Unwrap<Model>(info[0]);
  const llama_model* model = handle->model;

  auto keys = Napi::Object::New(env);
  for (int32_t i = 0; i < llama_model_meta_count(model); i++) {
    keys.Set(MetadataText(model, i, true), MetadataText(model, i, false));
  }
  char description[256] = {};
  llama_model_desc(model, description, sizeof(description));
  const char* chat_template = llama_model_chat_template(model, nullptr);

  auto result = Napi::Object::New(env);
  result.Set("keys", keys);
  result.Set("description", description);
  result.Set("parameterCount", static_cast<double>(llama_model_n_params(model)));
  result.Set("sizeBytes", static_cast<double>(llama_model_size(model)));
  result.Set("layerCount", llama_model_n_layer(model));
  result.Set("embeddingLength", llama_model_n_embd(model));
  result.Set("trainedContextSize", llama_model_n_ctx_train(model));
  result.Set("vocabularySize", handle->vocabulary_size);
  result.Set("chatTemplate",
             chat_template != nullptr ? Napi::String::New(env, chat_template) : env.Undefined());
  result.Set("beginOfSequence", TokenOrUndefined(env, llama_vocab_bos(handle->vocabulary)));
  result.Set("endOfSequence", TokenOrUndefined(env, llama_vocab_eos(handle->vocabulary)));
  result.Set("endOfTurn", TokenOrUndefined(env, llama_vocab_eot(handle->vocabulary)));
  result.Set("hasEncoder", llama_model_has_encoder(model));
  result.Set("hasDecoder", llama_model_has_decoder(model));
  result.Set("slidingWindow", llama_model_n_swa(model));
  result.Set("isRecurrent", llama_model_is_recurrent(model) || llama_model_is_hybrid(model));
  DescribeRanking(*handle, result);
  return result;
}
