// The addon's door: what JavaScript can call, and what happens when an environment comes and goes.
#include "adapter.h"
#include "arguments.h"
#include "backend.h"
#include "chat.h"
#include "chat_parser.h"
#include "context_api.h"
#include "control_text.h"
#include "embedding.h"
#include "engine_process.h"
#include "environment.h"
#include "errors.h"
#include "evaluation.h"
#include "generation_api.h"
#include "gptq_rows.h"
#include "grammar.h"
#include "keep_loaded.h"
#include "model.h"
#include "node_api.h"
#include "parent_pipe.h"
#include "quantize.h"
#include "sampler.h"
#include "tensor_rows.h"
#include "tokenizer.h"

namespace {

// (createError, directory) => void. Before any other call: how errors are made, and where the backends lie.
Napi::Value Initialize(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::Of(info.Env());
  environment.create_error = Napi::Persistent(info[0].As<Napi::Function>());
  LoadBackends(ReadString(info[1], "directory"));
  return info.Env().Undefined();
}

// () => void. Ends all work now; for the exit of the process, which runs no cleanup hooks of the environment.
Napi::Value Shutdown(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).Shutdown();
  return info.Env().Undefined();
}

template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
void Export(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New(exports.Env(), Guarded<Body>, name));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  KeepLoaded();
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);
  // Runs before Node finalizes the thread-safe function and the instance data.
  env.AddCleanupHook([environment] { environment->Shutdown(); });

  Export<Initialize>(exports, "initialize");
  Export<Shutdown>(exports, "shutdown");
  Export<WriteToParent>(exports, "writeToParent");
  Export<ServeParent>(exports, "serveParent");
  Export<GetProgress>(exports, "getProgress");
  Export<GetDevices>(exports, "getDevices");
  Export<GetSystemInfo>(exports, "getSystemInfo");
  Export<CreateCancelFlag>(exports, "createCancelFlag");
  Export<SetCancelFlag>(exports, "setCancelFlag");
  Export<LoadModel>(exports, "loadModel");
  Export<CloseModel>(exports, "closeModel");
  Export<LoadAdapter>(exports, "loadAdapter");
  Export<Quantize>(exports, "quantize");
  Export<GetModelInfo>(exports, "getModelInfo");
  Export<Tokenize>(exports, "tokenize");
  Export<TokenizeSync>(exports, "tokenizeSync");
  Export<Detokenize>(exports, "detokenize");
  Export<GetTokenText>(exports, "getTokenText");
  Export<MatchesGrammar>(exports, "matchesGrammar");
  Export<JsonSchemaToGrammar>(exports, "jsonSchemaToGrammar");
  Export<CreateSampler>(exports, "createSampler");
  Export<CloseSampler>(exports, "closeSampler");
  Export<CreateContext>(exports, "createContext");
  Export<CloseContext>(exports, "closeContext");
  Export<Eval>(exports, "eval");
  Export<Embed>(exports, "embed");
  Export<ScoreWindows>(exports, "scoreWindows");
  Export<GetImatrix>(exports, "getImatrix");
  Export<GetLogits>(exports, "getLogits");
  Export<Sample>(exports, "sample");
  Export<ChangeMemory>(exports, "changeMemory");
  Export<GetSequenceRange>(exports, "getSequenceRange");
  Export<SaveSequence>(exports, "saveSequence");
  Export<SavePrefix>(exports, "savePrefix");
  Export<RestoreSequence>(exports, "restoreSequence");
  Export<ApplyChatTemplate>(exports, "applyChatTemplate");
  Export<CreateChatParser>(exports, "createChatParser");
  Export<ParseChat>(exports, "parseChat");
  Export<GetControlTexts>(exports, "getControlTexts");
  Export<SubmitGeneration>(exports, "submitGeneration");
  Export<ProvideLogits>(exports, "provideLogits");
  Export<CancelGeneration>(exports, "cancelGeneration");
  Export<SetEvictable>(exports, "setEvictable");
  Export<GetMetrics>(exports, "getMetrics");
  Export<ConvertTensorRows>(exports, "convertTensorRows");
  Export<ConvertGptqRows>(exports, "convertGptqRows");
  return exports;
}

}  // namespace

NODE_API_MODULE(llama_native, Init)
