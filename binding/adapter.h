// LoRA adapters: low-rank changes of a model's weights, kept beside them and added while a graph is computed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "handle.h"
#include "llama.h"
#include "model.h"
#include "node_api.h"

// Owned by the llama_model, which frees its adapters with itself: so whoever uses one holds the model, and an
// adapter does not, or closing the model would wait for it.
class Adapter {
 public:
  Adapter(const std::shared_ptr<Model>& owner, llama_adapter_lora* loaded, std::string content)
      : model(owner), adapter(loaded), fingerprint(std::move(content)) {}

  const std::weak_ptr<Model> model;
  llama_adapter_lora* const adapter;
  // Tells its content from that of others.
  const std::string fingerprint;
};

template <>
struct HandleKind<Adapter> {
  static constexpr const char* name = "adapter";
  static constexpr napi_type_tag tag = {0x6c6c616d612d6e61, 0x746976652d6c7261};
  static void Dispose(Napi::Env, const std::shared_ptr<Adapter>&) {}
};

// An adapter, and the factor that its changes are added with.
struct AppliedAdapter {
  std::shared_ptr<Adapter> adapter;
  float scale = 1;
};

// Reads the option `adapters`: an array of { adapter, scale }. Throws INVALID_ARGUMENT for one of another
// model, and for one that is there twice.
std::vector<AppliedAdapter> ReadAdapters(const Napi::Object& options, const std::shared_ptr<Model>& model);

// Makes every evaluation in the context use them.
void ApplyAdapters(llama_context* context, const std::vector<AppliedAdapter>& adapters);

// What tells contexts apart that differ in adapters; empty where they change nothing. Their order does not
// count, since what they change is added up.
std::string DescribeAdapters(const std::vector<AppliedAdapter>& adapters);

Napi::Value LoadAdapter(const Napi::CallbackInfo& info);  // (model, path, fingerprint) => Promise<adapter>
