// A loaded model: weights, metadata and vocabulary.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "handle.h"
#include "llama.h"
#include "node_api.h"
#include "token_tree.h"

// Set once, when the model's memory has been given back.
class ReleaseLatch {
 public:
  void Set();
  // Until it is set, or the environment shuts down.
  void Wait(const std::atomic<bool>& cancelled);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
};

class Model {
 public:
  Model(llama_model* loaded, bool only_vocabulary);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  llama_model* const model;
  const llama_vocab* const vocabulary;
  const int32_t vocabulary_size;
  const bool vocab_only;
  const std::shared_ptr<ReleaseLatch> released;

  // Any thread. The list of the model's adapters grows only while it is locked by this, and not any more once
  // a context may be there: llama.cpp walks through it for each graph, and locks nothing. Throws
  // INVALID_ARGUMENT then.
  std::unique_lock<std::mutex> ExtendAdapters();
  // Any thread. Before a context is made.
  void CloseAdapterList();

  // Throws INVALID_TOKEN for an id outside the vocabulary.
  void CheckTokens(const std::vector<llama_token>& tokens) const;
  // The bytes of a token; control tokens have none unless `render_special`.
  std::string Piece(llama_token token, bool render_special) const;
  std::vector<llama_token> Tokenize(const std::string& text, bool add_special, bool parse_special) const;
  std::string Detokenize(const std::vector<llama_token>& tokens, bool remove_special,
                         bool render_special) const;

  // Any thread. Both are made at the first call.
  const std::vector<llama_token>& EndTokens() const;  // those that end a generation, ascending
  const TokenTree& Tree() const;                      // of all others

 private:
  std::mutex adapters_mutex_;
  bool adapters_closed_ = false;
  mutable std::once_flag end_tokens_once_;
  mutable std::vector<llama_token> end_tokens_;
  mutable std::once_flag tree_once_;
  mutable std::unique_ptr<TokenTree> tree_;
};

template <>
struct HandleKind<Model> {
  static constexpr const char* name = "model";
  static constexpr napi_type_tag tag = {0x6c6c616d612d6e61, 0x746976652d6d6f64};
  static void Dispose(Napi::Env env, std::shared_ptr<Model> model) { ReleaseLater(env, std::move(model)); }
};

using CancelFlag = std::atomic<bool>;
template <>
struct HandleKind<CancelFlag> {
  static constexpr const char* name = "cancel flag";
  static constexpr napi_type_tag tag = {0x6c6c616d612d6e61, 0x746976652d666c67};
  static void Dispose(Napi::Env, const std::shared_ptr<CancelFlag>&) {}
};

Napi::Value CreateCancelFlag(const Napi::CallbackInfo& info);  // () => flag
Napi::Value SetCancelFlag(const Napi::CallbackInfo& info);     // (flag) => void
Napi::Value LoadModel(const Napi::CallbackInfo& info);  // (path, options, flag, onProgress) => Promise<model>
Napi::Value CloseModel(const Napi::CallbackInfo& info);    // (model) => Promise<void>
Napi::Value GetModelInfo(const Napi::CallbackInfo& info);  // (model) => object
