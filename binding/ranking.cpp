#include "ranking.h"

// Warnings in llama.cpp's headers are not ours to mend, and this one is found beside those that are set
// apart.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#include "../src/llama-model.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "errors.h"

// llama.cpp builds its graph with whatever part of a head is there, and then reads so many numbers for each
// text as the file has labels, or one. Without a last matrix of that many rows it would read parts of hidden
// vectors, or beyond the tensor.
uint32_t ClassifierOutputs(const Model& model) {
  const uint32_t outputs = llama_model_n_cls_out(model.model);
  const ggml_tensor* last = model.model->get_tensor("cls.output.weight");
  if (last == nullptr) last = model.model->get_tensor("cls.weight");  // a head of one layer
  return last != nullptr && last->ne[1] == static_cast<int64_t>(outputs) ? outputs : 0;
}

void CheckRanking(const Model& model, const llama_context_params& params) {
  if (params.pooling_type != LLAMA_POOLING_TYPE_RANK || ClassifierOutputs(model) > 0) return;
  throw Failure("MODEL_UNSUPPORTED", "This model has no head that gives scores, so it cannot rank.");
}

void DescribeRanking(const Model& model, Napi::Object& result) {
  const uint32_t outputs = ClassifierOutputs(model);
  auto labels = Napi::Array::New(result.Env());
  for (uint32_t i = 0; i < outputs; i++) {
    const char* label = llama_model_cls_label(model.model, i);
    if (label != nullptr) labels.Set(i, label);
  }
  result.Set("classifierOutputs", outputs);
  result.Set("classifierLabels", labels);

  const llama_token separator = llama_vocab_sep(model.vocabulary);
  if (separator != LLAMA_TOKEN_NULL) result.Set("separator", separator);
  result.Set("addsBeginOfSequence", llama_vocab_get_add_bos(model.vocabulary));
  result.Set("addsEndOfSequence", llama_vocab_get_add_eos(model.vocabulary));
  result.Set("addsSeparator", llama_vocab_get_add_sep(model.vocabulary));
}
