#include "context_api.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "adapter.h"
#include "arguments.h"
#include "context.h"
#include "embedding.h"
#include "generation_api.h"
#include "message_writer.h"
#include "parent_pipe.h"
#include "promise_worker.h"
#include "ranking.h"
#include "state_bytes.h"
#include "step_events.h"

namespace {

constexpr int32_t int_max = std::numeric_limits<int32_t>::max();
constexpr int64_t largest_position = 1 << 30;

std::shared_ptr<Context> UnwrapWithMemory(const Napi::Value& value) {
  std::shared_ptr<Context> context = Unwrap<Context>(value);
  context->RequireMemory();
  return context;
}

llama_seq_id ReadSequence(const Context& context, const Napi::Value& value) {
  const llama_seq_id sequence = ReadInteger(value, "sequence", 0, 255);
  if (sequence >= context.sequence_limit) {
    throw Failure("INVALID_SEQUENCE",
                  "Expected a sequence from 0 to " + std::to_string(context.sequence_limit - 1) +
                      "; received " + std::to_string(sequence) + ". Create the context with more sequences.");
  }
  return sequence;
}

ggml_type ReadCacheType(const Napi::Object& options, const char* name) {
  const std::string type = ReadString(options, name, "f16");
  if (type == "f16") return GGML_TYPE_F16;
  if (type == "q8_0") return GGML_TYPE_Q8_0;
  if (type == "q4_0") return GGML_TYPE_Q4_0;
  if (type == "f32") return GGML_TYPE_F32;
  throw Failure("INVALID_ARGUMENT",
                std::string("Expected f32, f16, q8_0 or q4_0 for ") + name + "; received " + type + ".");
}

llama_context_params ReadContextParams(const Napi::Object& options) {
  llama_context_params params = llama_context_default_params();
  params.n_seq_max = ReadInteger(options, "sequences", 1, 1, 256);
  params.n_ctx = ReadInteger(options, "contextSize", 512, 1, int_max);
  // One batch is one micro-batch unless asked for, so that a command waits for one of them at most.
  params.n_batch = std::max<uint32_t>(ReadInteger(options, "batchSize", 512, 1, 1 << 16), params.n_seq_max);
  params.n_batch = std::min(params.n_batch, std::max(params.n_ctx, params.n_seq_max));
  params.n_ubatch = ReadInteger(options, "microBatchSize", static_cast<int32_t>(params.n_batch), 1, 1 << 16);
  params.n_ubatch = std::min(params.n_ubatch, params.n_batch);
  params.n_threads = ReadInteger(options, "threads", 4, 1, 512);
  params.n_threads_batch = params.n_threads;
  params.type_k = ReadCacheType(options, "keyType");
  params.type_v = ReadCacheType(options, "valueType");
  // llama.cpp's flash attention turns F32 into F16 in each step; the CPU then adds up in F16 below 64 tokens.
  const bool has_f32 = params.type_k == GGML_TYPE_F32 || params.type_v == GGML_TYPE_F32;
  if (has_f32 && !ggml_is_quantized(params.type_v)) params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  // Sequences share memory and can share prefixes, unless they have nothing to do with each other.
  params.kv_unified = !ReadBool(options.Get("separateSequences"), false);
  params.swa_full = ReadBool(options.Get("fullWindow"), true);
  params.no_perf = true;
  ReadPooling(options, params);
  return params;
}

std::optional<SpeculationConfig> ReadSpeculation(const Napi::Object& options) {
  const Napi::Value value = options.Get("speculation");
  if (!value.IsObject()) return std::nullopt;
  auto object = value.As<Napi::Object>();
  SpeculationConfig config;
  if (!object.Get("draftModel").IsUndefined()) config.draft_model = Unwrap<Model>(object.Get("draftModel"));
  if (config.draft_model && config.draft_model->vocab_only)
    throw Failure("NO_WEIGHTS", "The draft model was loaded with vocabOnly.");
  config.most_tokens = ReadInteger(object, "draftTokens", config.most_tokens, 1, 64);
  config.least_probability = ReadFloat(object, "minDraftProbability", config.least_probability, 0, 1);
  config.ngram_size = ReadInteger(object, "ngramSize", config.ngram_size, 1, 64);
  return config;
}

// Tells another process, without waking this one's JavaScript: it would take a processor from the model.
// `number`: what the other process calls the context.
Context::EventSink MakeParentSink(ParentPipe* pipe, int32_t number) {
  return [pipe, number](StepEvents events) {
    MessageWriter writer;
    writer.BeginObject();
    writer.Set("type", "events");
    writer.Set("context", number);
    writer.Key("events");
    WriteEvents(writer, events);
    writer.EndObject();
    pipe->Write(writer.Finish(), std::make_shared<StepEvents>(std::move(events)));
  };
}

std::unique_ptr<ImatrixCollector> ReadCollector(const Napi::Object& options) {
  const std::string tensors = ReadString(options, "collects", "");
  if (tensors.empty()) return nullptr;
  if (tensors == "blocks") return std::make_unique<ImatrixCollector>(false);
  if (tensors == "blocks and output") return std::make_unique<ImatrixCollector>(true);
  throw Failure("INVALID_ARGUMENT",
                "Expected blocks, or blocks and output, for collects; received " + tensors + ".");
}

// One event of the loop's thread becomes one call of the JavaScript listener, whatever it carries.
Context::EventSink MakeSink(Napi::Env env, uint32_t context_id) {
  return [queue = Environment::Of(env).queue, context_id](StepEvents events) {
    queue->Post([queue, context_id, events = std::move(events)](Napi::Env js_env) {
      for (const GenerationEvent& event : events.generations) {
        if (event.finished) queue->Release();  // held since SubmitGeneration
      }
      auto& contexts = Environment::Of(js_env).contexts;
      auto found = contexts.find(context_id);
      if (found == contexts.end()) return;
      JsValueWriter writer(js_env);
      WriteEvents(writer, events);
      found->second.on_events.Call({writer.Result()});
    });
  };
}

}  // namespace

Executor ContextExecutor(std::shared_ptr<Context> context) {
  return
      [context = std::move(context)](std::function<void()> task) { return context->Post(std::move(task)); };
}

Napi::Value CreateContext(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  if (model->vocab_only) {
    throw Failure("NO_WEIGHTS",
                  "The model was loaded with vocabOnly; load it without that option to evaluate.");
  }
  auto options = info[1].As<Napi::Object>();
  const int64_t state_limit = ReadLength(options, "stateLimit", 0);
  const llama_context_params params = ReadContextParams(options);
  CheckRanking(*model, params);
  auto context = std::make_shared<Context>(model, params, state_limit, ReadSpeculation(options),
                                           ReadAdapters(options, model));
  ParentPipe* pipe = options.Get("reportsAs").IsUndefined() ? nullptr : ParentPipe::Get();
  const int32_t number = ReadInteger(options, "reportsAs", 0, 0, int_max);
  context->reports_elsewhere = pipe != nullptr;
  context->collector = ReadCollector(options);
  auto listener = std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[2].As<Napi::Function>()));

  return RunAsync(
      env, TaskExecutor(env),
      [context] {
        context->Create();
        return Nothing{};
      },
      [context, listener, pipe, number](Napi::Env js_env, Nothing&) -> Napi::Value {
        Environment& environment = Environment::Of(js_env);
        const uint32_t id = context->id;
        environment.contexts[id] = {context, std::move(*listener)};
        Context::EventSink sink = pipe == nullptr ? MakeSink(js_env, id) : MakeParentSink(pipe, number);
        context->Start(std::move(sink), [queue = environment.queue, id] {
          queue->Post([id](Napi::Env closing_env) { Environment::Of(closing_env).contexts.erase(id); });
        });
        auto result = Napi::Object::New(js_env);
        result.Set("contextSize", llama_n_ctx(context->context));
        result.Set("batchSize", llama_n_batch(context->context));
        result.Set("sequences", context->sequence_limit);
        result.Set("canShift",
                   context->has_memory && llama_memory_can_shift(llama_get_memory(context->context)));
        result.Set("cacheBytes", static_cast<double>(context->cache_bytes));
        result.Set("computeBytes", static_cast<double>(context->compute_bytes));
        result.Set("handle", WrapHandle(js_env, context));
        return result;
      },
      "CONTEXT_CREATE_FAILED");
}

Napi::Value CloseContext(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = std::move(HandleOf<Context>(info[0]).object);
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [context = std::move(context)] {
        if (context) {
          context->RequestClose();
          context->WaitClosed();
        }
        return Nothing{};
      },
      ToUndefined);
}

Napi::Value Eval(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = UnwrapWithMemory(info[0]);
  std::vector<llama_token> tokens = ReadTokens(info[1]);
  const llama_seq_id sequence = ReadSequence(*context, info[2]);
  const int32_t position = ReadInteger(info[3], "position", -1, int_max);
  const bool all = ReadBool(info[4], false);
  context->model->CheckTokens(tokens);
  if (tokens.empty())
    throw Failure("INVALID_ARGUMENT", "Expected at least one token to evaluate; received none.");
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), tokens = std::move(tokens), sequence, position, all] {
        if (all && tokens.size() > llama_n_batch(context->context)) {
          throw Failure("INVALID_ARGUMENT", "Expected at most " +
                                                std::to_string(llama_n_batch(context->context)) +
                                                " tokens (the batchSize) with logits of all; received " +
                                                std::to_string(tokens.size()) + ". Evaluate them in parts.");
        }
        const llama_pos next = llama_memory_seq_pos_max(llama_get_memory(context->context), sequence) + 1;
        if (position >= 0 && position != next) {
          throw Failure("INVALID_ARGUMENT", "Expected position " + std::to_string(next) +
                                                ", the next one of the sequence; received " +
                                                std::to_string(position) + ".");
        }
        context->Eval(tokens, sequence, next, all);
        return Nothing{};
      },
      ToUndefined, "DECODE_FAILED");
}

Napi::Value GetLogits(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  const int32_t index = ReadInteger(info[1], "index", -int_max, int_max);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), index] { return context->Logits(index); },
      [](Napi::Env env, std::vector<float>& logits) -> Napi::Value {
        auto array = Napi::Float32Array::New(env, logits.size());
        std::copy(logits.begin(), logits.end(), array.Data());
        return array;
      });
}

Napi::Value Sample(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = Unwrap<Context>(info[0]);
  std::shared_ptr<Sampler> sampler = Unwrap<Sampler>(info[1]);
  const int32_t index = ReadInteger(info[2], "index", -int_max, int_max);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), sampler, index] { return context->Sample(*sampler, index); },
      [](Napi::Env env, llama_token& token) -> Napi::Value { return Napi::Number::New(env, token); });
}

Napi::Value ChangeMemory(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = UnwrapWithMemory(info[0]);
  const std::string operation = ReadString(info[1], "operation");
  const llama_seq_id sequence = ReadSequence(*context, info[2]);
  const llama_seq_id target = ReadSequence(*context, info[3]);
  const int32_t from = ReadInteger(info[4], "from", -1, int_max);
  const int32_t to = ReadInteger(info[5], "to", -1, int_max);
  const int32_t delta = ReadInteger(info[6], "delta", -int_max, int_max);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), operation, sequence, target, from, to, delta] {
        llama_memory_t memory = llama_get_memory(context->context);
        if (operation == "remove") return llama_memory_seq_rm(memory, sequence, from, to);
        if (operation == "copy") {
          if (sequence != target) {
            llama_memory_seq_rm(memory, target, -1, -1);
            llama_memory_seq_cp(memory, sequence, target, from, to);
          }
        } else if (operation == "keep") {
          llama_memory_seq_keep(memory, sequence);
        } else if (operation == "clear") {
          llama_memory_clear(memory, false);
        } else if (operation == "shift") {
          if (!llama_memory_can_shift(memory)) {
            throw Failure("MODEL_UNSUPPORTED", "The positions of this model's KV cache cannot be shifted.");
          }
          const int64_t last = llama_memory_seq_pos_max(memory, sequence);
          if (last + delta > largest_position || from + int64_t{delta} < 0) {
            throw Failure("INVALID_ARGUMENT", "Expected a shift that leaves positions from 0 to " +
                                                  std::to_string(largest_position) + "; received " +
                                                  std::to_string(delta) + ".");
          }
          llama_memory_seq_add(memory, sequence, from, to, delta);
        } else {
          throw Failure("INVALID_ARGUMENT", "Unknown memory operation " + operation + ".");
        }
        return true;
      },
      [](Napi::Env env, bool& changed) -> Napi::Value { return Napi::Boolean::New(env, changed); });
}

Napi::Value GetSequenceRange(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = UnwrapWithMemory(info[0]);
  const llama_seq_id sequence = ReadSequence(*context, info[1]);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), sequence] {
        llama_memory_t memory = llama_get_memory(context->context);
        return std::pair<int32_t, int32_t>(llama_memory_seq_pos_min(memory, sequence),
                                           llama_memory_seq_pos_max(memory, sequence));
      },
      [](Napi::Env env, std::pair<int32_t, int32_t>& range) -> Napi::Value {
        auto array = Napi::Array::New(env, 2);
        array.Set(0U, range.first);
        array.Set(1U, range.second);
        return array;
      });
}

Napi::Value SaveSequence(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = UnwrapWithMemory(info[0]);
  const llama_seq_id sequence = ReadSequence(*context, info[1]);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), sequence] { return context->states->Save(sequence); },
      [](Napi::Env env, StateBytes& bytes) { return ToUint8Array(env, bytes); });
}

Napi::Value SavePrefix(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = UnwrapWithMemory(info[0]);
  const llama_seq_id sequence = ReadSequence(*context, info[1]);
  const int32_t length = ReadInteger(info[2], "length", 1, int_max);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [raw = context.get(), sequence, length] { return raw->loop->SavePrefix(sequence, length); },
      [](Napi::Env env, SavedState& state) {
        return state.bytes.size > 0 ? ToUint8Array(env, state.bytes) : env.Undefined();
      });
}

Napi::Value RestoreSequence(const Napi::CallbackInfo& info) {
  std::shared_ptr<Context> context = UnwrapWithMemory(info[0]);
  const llama_seq_id sequence = ReadSequence(*context, info[1]);
  StateBytes bytes = PinBytes(info[2]);
  return RunAsync(
      info.Env(), ContextExecutor(context),
      [context = context.get(), sequence, bytes = std::move(bytes)] {
        context->states->Restore(sequence, bytes);
        return Nothing{};
      },
      ToUndefined);
}
