#include "evaluation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "backend.h"
#include "context.h"
#include "context_api.h"
#include "engine_process.h"
#include "promise_worker.h"
#include "row_scores.h"
#include "state_bytes.h"

namespace {

struct ScoreRequest {
  std::vector<llama_token> tokens;  // of all windows, one after the other
  int32_t window = 0;               // tokens of a window
  int32_t first = 0;                // the first token of a window whose successor is scored
  bool begin_with_bos = false;      // in place of the first token of a window, if the vocabulary asks for it
  bool pack = false;
  std::optional<StateBytes> reference;  // packed log-probabilities, a row for each score

  size_t Windows() const { return tokens.size() / window; }
  int32_t ScoresOfWindow() const { return window - 1 - first; }
  size_t Scores() const { return Windows() * ScoresOfWindow(); }
};

// An entry for each token that was predicted.
struct Scores {
  std::vector<double> own;
  std::vector<double> reference;
  std::vector<double> divergences;
  std::vector<uint8_t> agreements;
  StateBytes packed;
  double evaluation_ms = 0;
};

ScoreRequest ReadRequest(const Napi::Value& value, const Context& context) {
  if (!value.IsObject()) throw Failure("INVALID_ARGUMENT", "Expected an object for the windows to score.");
  auto object = value.As<Napi::Object>();
  ScoreRequest request;
  request.tokens = ReadTokens(object.Get("tokens"));
  request.window = ReadInteger(object.Get("window"), "window", 2, 1 << 24);
  request.first = ReadInteger(object.Get("first"), "first", 0, request.window - 2);
  request.begin_with_bos = ReadBool(object.Get("beginWithBos"), false);
  request.pack = ReadBool(object.Get("pack"), false);
  context.model->CheckTokens(request.tokens);
  const Napi::Value reference = object.Get("reference");
  if (!reference.IsUndefined()) request.reference = PinBytes(reference);
  return request;
}

size_t PackedBytes(const Context& context) {
  return PackedLength(context.model->vocabulary_size) * sizeof(uint16_t);
}

void CheckRequest(const Context& context, const ScoreRequest& request) {
  const size_t windows = request.Windows();
  const size_t sequences = llama_n_seq_max(context.context);
  if (windows < 1 || windows > sequences || request.tokens.size() % request.window != 0) {
    throw Failure("INVALID_ARGUMENT", "Expected the tokens of 1 to " + std::to_string(sequences) +
                                          " windows of " + std::to_string(request.window) + "; received " +
                                          std::to_string(request.tokens.size()) + " tokens.");
  }
  const size_t room = llama_n_ctx_seq(context.context);
  if (static_cast<size_t>(request.window) > room || windows > llama_n_batch(context.context)) {
    throw Failure("INVALID_ARGUMENT", "Expected windows of " + std::to_string(room) +
                                          " tokens at most; received some of " +
                                          std::to_string(request.window) + ".");
  }
  const size_t expected = request.Scores() * PackedBytes(context);
  if (request.reference && request.reference->size != expected) {
    throw Failure("INVALID_ARGUMENT", "Expected " + std::to_string(expected) +
                                          " bytes of log-probabilities; received " +
                                          std::to_string(request.reference->size) + ".");
  }
}

class WindowScorer {
 public:
  WindowScorer(Context& context, const ScoreRequest& request) : context_(context), request_(request) {
    scores_.own.resize(request.Scores());
    if (request.reference) {
      scores_.reference.resize(request.Scores());
      scores_.divergences.resize(request.Scores());
      scores_.agreements.resize(request.Scores());
    }
    if (request.pack) {
      const size_t size = request.Scores() * PackedBytes(context);
      scores_.packed = {std::shared_ptr<uint8_t[]>(new uint8_t[size]), size};
    }
  }

  // All windows go on side by side, each a sequence of its own.
  Scores Run() {
    llama_memory_t memory = llama_get_memory(context_.context);
    if (memory != nullptr) llama_memory_clear(memory, true);
    const auto windows = static_cast<int32_t>(request_.Windows());
    const int32_t capacity = static_cast<int32_t>(llama_n_batch(context_.context)) / windows;
    Batch batch(std::min(capacity, request_.window) * windows);
    for (int32_t begin = 0; begin < request_.window; begin += capacity) {
      Fill(batch, begin, std::min(begin + capacity, request_.window));
      const auto start = Clock::now();
      Decode(batch);
      scores_.evaluation_ms += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
      ScoreRows();
    }
    CheckNumbers();
    return std::move(scores_);
  }

 private:
  struct Row {
    int32_t index;  // in the batch
    size_t score;
    llama_token next;
    const float* logits = nullptr;
  };

  void Fill(Batch& batch, int32_t begin, int32_t end) {
    const bool all_outputs = context_.collector != nullptr;  // or the last layer would see fewer rows
    const llama_vocab* vocabulary = context_.model->vocabulary;
    const bool puts_bos = request_.begin_with_bos && llama_vocab_get_add_bos(vocabulary);
    batch.Clear();
    rows_.clear();
    for (size_t window = 0; window < request_.Windows(); window++) {
      const llama_token* tokens = request_.tokens.data() + window * request_.window;
      for (int32_t i = begin; i < end; i++) {
        const bool scored = i >= request_.first && i + 1 < request_.window;
        const llama_token token = i == 0 && puts_bos ? llama_vocab_bos(vocabulary) : tokens[i];
        const int32_t index = batch.Add(token, i, static_cast<llama_seq_id>(window), scored || all_outputs);
        const size_t score = window * request_.ScoresOfWindow() + (i - request_.first);
        if (scored) rows_.push_back({index, score, tokens[i + 1]});
      }
    }
  }

  void Decode(const Batch& batch) {
    LogCapture log;
    const int32_t status = llama_decode(context_.context, batch.Get());
    if (context_.collector) context_.collector->CheckValues();
    if (status == 2) throw Failure("CLOSED", "The context was closed during the evaluation.");
    if (status != 0) {
      throw Failure("DECODE_FAILED", "llama.cpp could not evaluate the text (status " +
                                         std::to_string(status) + "). " + log.Text());
    }
    llama_synchronize(context_.context);
  }

  void ScoreRows() {
    for (Row& row : rows_) {
      row.logits = llama_get_logits_ith(context_.context, row.index);
      if (row.logits == nullptr) throw Failure("DECODE_FAILED", "llama.cpp gave no logits for a token.");
    }
    context_.RunParallel(static_cast<int32_t>(rows_.size()), [this](int32_t i) {
      ScoreRow(rows_[i]);
      Progress::Advance();
    });
  }

  void ScoreRow(const Row& row) {
    const int32_t size = context_.model->vocabulary_size;
    const size_t packed_bytes = PackedBytes(context_);
    scores_.own[row.score] = NegativeLogLikelihood(row.logits, size, row.next);
    if (request_.pack) {
      uint8_t* packed = scores_.packed.data.get() + row.score * packed_bytes;
      PackLogProbabilities(row.logits, size, reinterpret_cast<uint16_t*>(packed));
    }
    if (!request_.reference) return;
    const uint8_t* packed = request_.reference->data.get() + row.score * packed_bytes;
    const ReferenceScore score = CompareWithReference(row.logits, size, row.next, packed);
    scores_.reference[row.score] = score.negative_log_likelihood;
    scores_.divergences[row.score] = score.divergence;
    scores_.agreements[row.score] = score.same_top ? 1 : 0;
  }

  void CheckNumbers() const {
    const auto finite = [](double value) { return std::isfinite(value); };
    if (std::all_of(scores_.own.begin(), scores_.own.end(), finite)) return;
    throw Failure(
        "DECODE_FAILED",
        "The model gave logits that are no numbers. Its file may be damaged: load it with checkTensors "
        "to see.");
  }

  Context& context_;
  const ScoreRequest& request_;
  Scores scores_;
  std::vector<Row> rows_;
};

template <typename Array, typename Values>
Array ToArray(Napi::Env env, const Values& values) {
  Array array = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value ToObject(Napi::Env env, Scores& scores) {
  auto object = Napi::Object::New(env);
  object.Set("negativeLogLikelihoods", ToArray<Napi::Float64Array>(env, scores.own));
  object.Set("evaluationMs", scores.evaluation_ms);
  if (!scores.reference.empty()) {
    auto reference = Napi::Object::New(env);
    reference.Set("negativeLogLikelihoods", ToArray<Napi::Float64Array>(env, scores.reference));
    reference.Set("divergences", ToArray<Napi::Float64Array>(env, scores.divergences));
    reference.Set("agreements", ToArray<Napi::Uint8Array>(env, scores.agreements));
    object.Set("reference", reference);
  }
  if (scores.packed.size > 0) object.Set("logProbabilities", ToUint8Array(env, scores.packed));
  return object;
}

}  // namespace

Napi::Value ScoreWindows(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  context->RequireMemory();
  ScoreRequest request = ReadRequest(info[1], *context);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), request = std::move(request)] {
        CheckRequest(*context, request);
        return WindowScorer(*context, request).Run();
      },
      ToObject, "DECODE_FAILED");
}

Napi::Value GetImatrix(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  if (!context->collector) {
    throw Failure("INVALID_ARGUMENT", "Expected a context that was created to collect an importance matrix.");
  }
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get()] { return context->collector->Entries(); },
      [](Napi::Env env, std::map<std::string, ImatrixEntry>& entries) -> Napi::Value {
        auto result = Napi::Array::New(env, entries.size());
        uint32_t index = 0;
        for (const auto& [name, entry] : entries) {
          auto object = Napi::Object::New(env);
          object.Set("name", name);
          object.Set("sums", ToArray<Napi::Float32Array>(env, entry.sums));
          object.Set("counts", ToArray<Napi::Float64Array>(env, entry.counts));
          result.Set(index++, object);
        }
        return result;
      });
}
