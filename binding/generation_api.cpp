#include "generation_api.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <utility>

#include "arguments.h"
#include "context.h"
#include "logits_scan.h"
#include "promise_worker.h"
#include "state_bytes.h"

namespace {

constexpr int32_t int_max = std::numeric_limits<int32_t>::max();

ContextFullPolicy ReadContextFullPolicy(const Napi::Object& options) {
  const std::string policy = ReadString(options, "contextFull", "stop");
  if (policy == "stop") return ContextFullPolicy::stop;
  if (policy == "error") return ContextFullPolicy::error;
  if (policy == "shift") return ContextFullPolicy::shift;
  throw Failure("INVALID_ARGUMENT",
                "Expected stop, error or shift for contextFull; received " + policy + ".");
}

// The saved state that a request may begin from, and the snapshots that it asks for.
void ReadStates(const Napi::Object& options, GenerationRequest& request) {
  const Napi::Value snapshots = options.Get("snapshots");
  if (!snapshots.IsUndefined()) request.snapshots = ReadTokens(snapshots);
  if (!std::is_sorted(request.snapshots.begin(), request.snapshots.end()))
    throw Failure("INVALID_ARGUMENT", "Expected snapshots in ascending order.");
  const Napi::Value state = options.Get("state");
  if (state.IsUndefined()) return;
  request.state = PinBytes(state);
  request.state_tokens = ReadInteger(options.Get("stateTokens"), "stateTokens", 0, int_max);
}

// Makes the sampler and hands it to the loop, or says there why it could not be made.
void SendSampler(const std::shared_ptr<Context>& context, uint32_t id, const SamplingConfig& sampling,
                 const std::vector<llama_token>& prompt) {
  Context* raw = context.get();
  const auto fail = [&](const char* code, const std::string& message) {
    context->Post([raw, id, code, message] { raw->loop->FailGeneration(id, code, message); });
  };
  try {
    // A command must be copyable, so it shares what it moves on.
    auto sampler =
        std::make_shared<std::unique_ptr<Sampler>>(Sampler::ForPrompt(context->model, sampling, prompt));
    context->Post([raw, id, sampler] { raw->loop->ProvideSampler(id, std::move(*sampler)); });
  } catch (const Failure& failure) {
    fail(failure.code, failure.what());
  } catch (const std::exception& error) {
    fail("INVALID_ARGUMENT", error.what());
  }
}

// Runs on a thread with a large stack; the context's own goes on meanwhile.
void MakeElsewhere(Napi::Env env, const std::shared_ptr<Context>& context, uint32_t id,
                   std::function<void()> make) {
  try {
    Environment::Of(env).tasks.Post(std::move(make));
  } catch (const std::exception& error) {
    const std::string message = error.what();
    context->Post(
        [raw = context.get(), id, message] { raw->loop->FailGeneration(id, "OUT_OF_MEMORY", message); });
  }
}

}  // namespace

Napi::Value SubmitGeneration(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  auto options = info[1].As<Napi::Object>();
  context->RequireMemory();
  GenerationRequest request;
  request.id = options.Get("id").As<Napi::Number>().Uint32Value();
  request.tokens = ReadTokens(options.Get("tokens"));
  context->model->CheckTokens(request.tokens);
  if (request.tokens.empty()) throw Failure("INVALID_ARGUMENT", "Expected a prompt of at least one token.");
  request.sequence = ReadInteger(options, "sequence", 0, 0, context->sequence_limit - 1);
  request.cached_sequence =
      ReadInteger(options, "cachedSequence", request.sequence, 0, context->sequence_limit - 1);
  request.cached_tokens = ReadInteger(options, "cachedTokens", 0, 0, int_max);
  ReadStates(options, request);
  request.max_tokens = ReadInteger(options, "maxTokens", -1, -1, int_max);
  request.stop_strings = ReadStrings(options.Get("stopStrings"), "stop");
  if (!options.Get("visibleTokens").IsUndefined())
    request.visible_tokens = ReadTokens(options.Get("visibleTokens"));
  request.context_full = ReadContextFullPolicy(options);
  request.keep_tokens = ReadInteger(options, "keepTokens", 0, 0, int_max);
  request.sampling = ReadSamplingConfig(options);
  request.log_probabilities = ReadInteger(options, "logprobs", -1, -1, 20);
  request.speculate = ReadBool(options.Get("speculate"), true);
  // When the caller asked for it, before any waiting on the JavaScript side.
  const auto waited =
      std::chrono::duration<double, std::milli>(options.Get("waitedMs").ToNumber().DoubleValue());
  request.submitted = Clock::now() - std::chrono::duration_cast<Clock::duration>(waited);

  request.processes_logits = ReadBool(options.Get("processesLogits"), false);
  request.sampler_follows = request.sampling.IsSlowToCreate();
  const uint32_t id = request.id;
  std::function<void()> make_sampler;
  if (request.sampler_follows) {
    make_sampler = [context, id, sampling = request.sampling, tokens = request.tokens] {
      SendSampler(context, id, sampling, tokens);
    };
  }
  if (request.processes_logits) request.speculate = false;  // guesses would have to wait for JavaScript too
  const bool accepted = context->Post([raw = context.get(), request = std::move(request)]() mutable {
    raw->loop->Submit(std::move(request));
  });
  if (!accepted) throw Failure("CLOSED", "The context is closed.");
  if (!context->reports_elsewhere)
    Environment::Of(info.Env()).queue->Hold();  // until JavaScript has seen its end
  if (make_sampler) MakeElsewhere(info.Env(), context, id, std::move(make_sampler));
  return info.Env().Undefined();
}

// (context, id, Float32Array) => void. Throws LOGITS_PROCESSOR_FAILED for logits that cannot be sampled from.
Napi::Value ProvideLogits(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  context->RequireMemory();
  const uint32_t id = info[1].ToNumber().Uint32Value();
  const bool floats =
      info[2].IsTypedArray() && info[2].As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  const auto expected = static_cast<size_t>(context->model->vocabulary_size);
  if (!floats || info[2].As<Napi::TypedArray>().ElementLength() != expected) {
    throw Failure("LOGITS_PROCESSOR_FAILED",
                  "Expected the logits processor to give back a Float32Array of " + std::to_string(expected) +
                      " numbers, one for each token of the vocabulary, or nothing.");
  }
  const float* data = info[2].As<Napi::Float32Array>().Data();
  std::vector<float> logits(data, data + expected);
  const auto count = static_cast<int32_t>(expected);
  if (HasNaN(logits.data(), count) || !std::isfinite(LargestValue(logits.data(), count))) {
    throw Failure(
        "LOGITS_PROCESSOR_FAILED",
        "Expected the logits processor to leave numbers below infinity, at least one of them above negative "
        "infinity.");
  }
  context->Post([raw = context.get(), id, logits = std::move(logits)]() mutable {
    raw->loop->ProvideLogits(id, std::move(logits));
  });
  return info.Env().Undefined();
}

Napi::Value CancelGeneration(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  const uint32_t id = info[1].ToNumber().Uint32Value();
  context->RequireMemory();
  context->Post([raw = context.get(), id] { raw->loop->Cancel(id); });
  return info.Env().Undefined();
}

Napi::Value SetEvictable(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  const std::vector<llama_seq_id> ids = ReadTokens(info[1]);
  const std::vector<int32_t> keys = ReadTokens(info[2]);
  if (keys.size() != ids.size()) throw Failure("INVALID_ARGUMENT", "Expected a key for each sequence.");
  std::vector<EvictableSequence> sequences;
  for (size_t i = 0; i < ids.size(); i++) {
    if (ids[i] < 0 || ids[i] >= context->sequence_limit) {
      throw Failure("INVALID_SEQUENCE", "Expected sequences of this context.");
    }
    sequences.push_back({ids[i], keys[i]});
  }
  context->RequireMemory();
  context->Post([raw = context.get(), sequences = std::move(sequences)]() mutable {
    raw->loop->SetEvictable(std::move(sequences));
  });
  return info.Env().Undefined();
}

Napi::Value GetMetrics(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  context->RequireMemory();
  return RunAsync(
      info.Env(), [context](std::function<void()> task) { return context->Post(std::move(task)); },
      [raw = context.get()] { return raw->loop->Metrics(); },
      [](Napi::Env env, LoopMetrics& metrics) -> Napi::Value {
        auto result = Napi::Object::New(env);
        const auto set = [&](const char* name, double value) { result.Set(name, value); };
        set("steps", static_cast<double>(metrics.steps));
        set("batchTokens", static_cast<double>(metrics.batch_tokens));
        set("promptTokens", static_cast<double>(metrics.prompt_tokens));
        set("cachedTokens", static_cast<double>(metrics.cached_tokens));
        set("completionTokens", static_cast<double>(metrics.completion_tokens));
        set("evictions", static_cast<double>(metrics.evictions));
        set("pauses", static_cast<double>(metrics.pauses));
        set("shifts", static_cast<double>(metrics.shifts));
        set("draftTokens", static_cast<double>(metrics.draft_tokens));
        set("acceptedDraftTokens", static_cast<double>(metrics.accepted_draft_tokens));
        set("statesSaved", static_cast<double>(metrics.states_saved));
        set("stateBytesSaved", static_cast<double>(metrics.state_bytes_saved));
        set("statesRestored", static_cast<double>(metrics.states_restored));
        set("stateTokensRestored", static_cast<double>(metrics.state_tokens_restored));
        set("statesRefused", static_cast<double>(metrics.states_refused));
        set("stateSaveMs", metrics.state_save_ms);
        set("stateRestoreMs", metrics.state_restore_ms);
        set("stepMs", metrics.step_ms);
        auto histogram = Napi::Array::New(env, LoopMetrics::buckets);
        for (uint32_t i = 0; i < LoopMetrics::buckets; i++) {
          histogram.Set(i, static_cast<double>(metrics.step_histogram[i]));
        }
        result.Set("stepHistogram", histogram);
        return result;
      });
}
