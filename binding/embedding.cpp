#include "embedding.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "arguments.h"
#include "backend.h"
#include "common.h"
#include "context.h"
#include "context_api.h"
#include "promise_worker.h"

namespace {

struct Text {
  std::vector<llama_token> tokens;
  bool normalize = true;
};

std::vector<Text> ReadTexts(const Napi::Value& value, const Model& model) {
  if (!value.IsArray()) throw Failure("INVALID_ARGUMENT", "Expected an array of { tokens, normalize }.");
  auto array = value.As<Napi::Array>();
  std::vector<Text> texts;
  texts.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject())
      throw Failure("INVALID_ARGUMENT", "Expected an object { tokens, normalize } for each text.");
    auto object = item.As<Napi::Object>();
    texts.push_back({ReadTokens(object.Get("tokens")), ReadBool(object.Get("normalize"), true)});
    model.CheckTokens(texts.back().tokens);
  }
  return texts;
}

// Pooling, and attention that looks ahead, need whole texts in one micro-batch: llama.cpp aborts without. So
// does a position beyond a table of learned positions.
void CheckBatch(const Context& context, const std::vector<Text>& texts) {
  if (!context.Embeds()) {
    throw Failure("INVALID_ARGUMENT", "Expected a context that was created with a pooling.");
  }
  const size_t capacity = llama_n_ubatch(context.context);
  const size_t trained = llama_model_n_ctx_train(context.model->model);
  const size_t longest = trained > 0 ? std::min(capacity, trained) : capacity;
  size_t total = 0;
  for (const Text& text : texts) {
    total += text.tokens.size();
    if (text.tokens.empty() || text.tokens.size() > longest) {
      throw Failure("INVALID_ARGUMENT", "Expected texts of 1 to " + std::to_string(longest) +
                                            " tokens; received one of " + std::to_string(text.tokens.size()) +
                                            ".");
    }
  }
  const size_t sequences = llama_n_seq_max(context.context);
  if (texts.empty() || texts.size() > sequences || total > capacity) {
    throw Failure("INVALID_ARGUMENT", "Expected 1 to " + std::to_string(sequences) + " texts with " +
                                          std::to_string(capacity) + " tokens in all; received " +
                                          std::to_string(texts.size()) + " with " + std::to_string(total) +
                                          ".");
  }
}

// Each text is a sequence of its own.
void Evaluate(const Context& context, const std::vector<Text>& texts) {
  size_t total = 0;
  for (const Text& text : texts) total += text.tokens.size();
  Batch batch(static_cast<int32_t>(total));
  for (size_t sequence = 0; sequence < texts.size(); sequence++) {
    const std::vector<llama_token>& tokens = texts[sequence].tokens;
    for (size_t position = 0; position < tokens.size(); position++) {
      batch.Add(tokens[position], static_cast<llama_pos>(position), static_cast<llama_seq_id>(sequence),
                true);
    }
  }
  llama_memory_t memory = llama_get_memory(context.context);
  if (memory != nullptr) llama_memory_clear(memory, false);
  LogCapture log;
  const bool encode = llama_model_has_encoder(context.model->model);
  const int32_t status =
      encode ? llama_encode(context.context, batch.Get()) : llama_decode(context.context, batch.Get());
  if (status == 2) throw Failure("CLOSED", "The model was closed while it computed embeddings.");
  if (status != 0) {
    throw Failure("DECODE_FAILED", "llama.cpp could not evaluate the texts (status " +
                                       std::to_string(status) + "). " + log.Text());
  }
}

void AppendRow(const float* row, int32_t length, bool normalize, std::vector<float>& embedding) {
  if (row == nullptr) throw Failure("DECODE_FAILED", "llama.cpp gave no embedding for a text.");
  if (!std::all_of(row, row + length, [](float value) { return std::isfinite(value); })) {
    throw Failure("DECODE_FAILED",
                  "The model gave a text values that are no numbers. Its file may be damaged: load it with "
                  "checkTensors "
                  "to see.");
  }
  const size_t begin = embedding.size();
  embedding.resize(begin + length);
  // 2 is the Euclidean norm, −1 none.
  common_embd_normalize(row, embedding.data() + begin, length, normalize ? 2 : -1);
}

// One embedding for each text, or the outputs of its head where texts are ranked; without pooling, the rows
// of its tokens one after the other.
std::vector<std::vector<float>> Collect(llama_context* context, const std::vector<Text>& texts) {
  const llama_model* model = llama_get_model(context);
  const bool ranks = llama_pooling_type(context) == LLAMA_POOLING_TYPE_RANK;
  const int32_t length =
      ranks ? static_cast<int32_t>(llama_model_n_cls_out(model)) : llama_model_n_embd_out(model);
  const bool pooled = llama_pooling_type(context) != LLAMA_POOLING_TYPE_NONE;
  std::vector<std::vector<float>> embeddings(texts.size());
  int32_t token = 0;
  for (size_t i = 0; i < texts.size(); i++) {
    if (pooled) {
      const float* row = llama_get_embeddings_seq(context, static_cast<llama_seq_id>(i));
      AppendRow(row, length, texts[i].normalize && !ranks, embeddings[i]);
      continue;
    }
    embeddings[i].reserve(texts[i].tokens.size() * length);
    for (size_t n = 0; n < texts[i].tokens.size(); n++) {
      AppendRow(llama_get_embeddings_ith(context, token++), length, texts[i].normalize, embeddings[i]);
    }
  }
  return embeddings;
}

}  // namespace

void ReadPooling(const Napi::Object& options, llama_context_params& params) {
  const std::string pooling = ReadString(options, "pooling", "");
  if (pooling.empty()) return;
  params.embeddings = true;
  if (pooling == "none") {
    params.pooling_type = LLAMA_POOLING_TYPE_NONE;
  } else if (pooling == "mean") {
    params.pooling_type = LLAMA_POOLING_TYPE_MEAN;
  } else if (pooling == "cls") {
    params.pooling_type = LLAMA_POOLING_TYPE_CLS;
  } else if (pooling == "last") {
    params.pooling_type = LLAMA_POOLING_TYPE_LAST;
  } else if (pooling == "rank") {
    params.pooling_type = LLAMA_POOLING_TYPE_RANK;
  } else {
    throw Failure("INVALID_ARGUMENT",
                  "Expected mean, cls, last, rank or none for pooling; received " + pooling + ".");
  }
}

Napi::Value Embed(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  std::vector<Text> texts = ReadTexts(info[1], *context->model);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), texts = std::move(texts)] {
        CheckBatch(*context, texts);
        Evaluate(*context, texts);
        return Collect(context->context, texts);
      },
      [](Napi::Env env, std::vector<std::vector<float>>& embeddings) -> Napi::Value {
        auto result = Napi::Array::New(env, embeddings.size());
        for (uint32_t i = 0; i < embeddings.size(); i++) {
          auto array = Napi::Float32Array::New(env, embeddings[i].size());
          std::copy(embeddings[i].begin(), embeddings[i].end(), array.Data());
          result.Set(i, array);
        }
        return result;
      },
      "DECODE_FAILED");
}
