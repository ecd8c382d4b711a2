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

const char* ReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
    default:
      return "failed";
  }
}

ContextFullPolicy ReadContextFullPolicy(const Napi::Object& options) {
  const std::string policy = ReadString(options, "contextFull", "stop");
  if (policy == "stop") return ContextFullPolicy::stop;
  if (policy == "error") return ContextFullPolicy::error;
  if (policy == "shift") return ContextFullPolicy::shift;
  throw Failure("INVALID_ARGUMENT",
                "Expected stop, error or shift for contextFull; received " + policy + ".");
}

Napi::Object FinishToObject(Napi::Env env, const GenerationEvent& event) {
  auto finish = Napi::Object::New(env);
  finish.Set("reason", ReasonName(event.reason));
  finish.Set("stopString", event.stop_string);
  finish.Set("promptTokens", event.prompt_tokens);
  finish.Set("cachedTokens", event.cached_tokens);
  finish.Set("completionTokens", event.completion_tokens);
  finish.Set("decodeSteps", event.decode_steps);
  finish.Set("shifts", event.shifts);
  finish.Set("draftTokens", event.draft_tokens);
  finish.Set("acceptedDraftTokens", event.accepted_draft_tokens);
  finish.Set("residentTokens", event.resident_tokens);
  finish.Set("queueMs", event.queue_ms);
  finish.Set("promptMs", event.prompt_ms);
  finish.Set("firstTokenMs", event.first_token_ms);
  finish.Set("completionMs", event.completion_ms);
  finish.Set("totalMs", event.total_ms);
  if (event.error_code != nullptr) {
    finish.Set("errorCode", event.error_code);
    finish.Set("errorMessage", event.error_message);
  }
  return finish;
}

Napi::Object LogProbabilityToObject(Napi::Env env, const TokenLogProbability& entry) {
  auto result = Napi::Object::New(env);
  result.Set("token", entry.token);
  result.Set("text", entry.text);
  result.Set("logprob", entry.value);
  return result;
}

Napi::Array LogProbabilitiesToArray(Napi::Env env, const std::vector<TokenLogProbabilities>& entries) {
  auto result = Napi::Array::New(env, entries.size());
  for (uint32_t i = 0; i < entries.size(); i++) {
    const std::vector<TokenLogProbability>& top = entries[i].top;
    auto alternatives = Napi::Array::New(env, top.size());
    for (uint32_t j = 0; j < top.size(); j++) alternatives.Set(j, LogProbabilityToObject(env, top[j]));
    Napi::Object entry = LogProbabilityToObject(env, entries[i].chosen);
    entry.Set("top", alternatives);
    result.Set(i, entry);
  }
  return result;
}

Napi::Array EvictedToArray(Napi::Env env, const std::vector<EvictedSequence>& evicted) {
  auto result = Napi::Array::New(env, evicted.size());
  for (uint32_t i = 0; i < evicted.size(); i++) {
    auto entry = Napi::Object::New(env);
    entry.Set("sequence", evicted[i].sequence);
    entry.Set("key", evicted[i].key);
    const StateBytes& state = evicted[i].state.bytes;
    if (state.size > 0) entry.Set("state", ToUint8Array(env, state));
    result.Set(i, entry);
  }
  return result;
}

Napi::Array SnapshotsToArray(Napi::Env env, const std::vector<Snapshot>& snapshots) {
  auto result = Napi::Array::New(env, snapshots.size());
  for (uint32_t i = 0; i < snapshots.size(); i++) {
    auto entry = Napi::Object::New(env);
    entry.Set("id", snapshots[i].id);
    entry.Set("position", snapshots[i].position);
    entry.Set("state", ToUint8Array(env, snapshots[i].state.bytes));
    result.Set(i, entry);
  }
  return result;
}

Napi::Array UnrestoredToArray(Napi::Env env, const std::vector<UnrestoredState>& unrestored) {
  auto result = Napi::Array::New(env, unrestored.size());
  for (uint32_t i = 0; i < unrestored.size(); i++) {
    auto entry = Napi::Object::New(env);
    entry.Set("id", unrestored[i].id);
    entry.Set("invalid", unrestored[i].invalid);
    result.Set(i, entry);
  }
  return result;
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

Napi::Array LogitsRequestsToArray(Napi::Env env, const std::vector<LogitsRequest>& requests) {
  auto result = Napi::Array::New(env, requests.size());
  for (uint32_t i = 0; i < requests.size(); i++) {
    const std::vector<float>& row = requests[i].row;
    auto logits = Napi::Float32Array::New(env, row.size());
    std::copy(row.begin(), row.end(), logits.Data());
    auto entry = Napi::Object::New(env);
    entry.Set("id", requests[i].id);
    entry.Set("tokens", TokensToArray(env, requests[i].tokens));
    entry.Set("logits", logits);
    result.Set(i, entry);
  }
  return result;
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

Napi::Object EventsToObject(Napi::Env env, const StepEvents& events) {
  auto generations = Napi::Array::New(env, events.generations.size());
  for (uint32_t i = 0; i < events.generations.size(); i++) {
    const GenerationEvent& event = events.generations[i];
    auto entry = Napi::Object::New(env);
    entry.Set("id", event.id);
    entry.Set("text", event.text);
    auto tokens = Napi::Array::New(env, event.tokens.size());
    for (uint32_t j = 0; j < event.tokens.size(); j++) tokens.Set(j, event.tokens[j]);
    entry.Set("tokens", tokens);
    if (!event.log_probabilities.empty()) {
      entry.Set("logprobs", LogProbabilitiesToArray(env, event.log_probabilities));
    }
    if (event.finished) entry.Set("finish", FinishToObject(env, event));
    generations.Set(i, entry);
  }
  auto result = Napi::Object::New(env);
  result.Set("generations", generations);
  if (!events.logits.empty()) result.Set("logits", LogitsRequestsToArray(env, events.logits));
  if (!events.evicted.empty()) result.Set("evicted", EvictedToArray(env, events.evicted));
  if (!events.snapshots.empty()) result.Set("snapshots", SnapshotsToArray(env, events.snapshots));
  if (!events.unrestored.empty()) result.Set("unrestored", UnrestoredToArray(env, events.unrestored));
  return result;
}

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
