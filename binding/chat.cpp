#include "chat.h"

#include <chat.h>

#include <map>
#include <utility>

#include "arguments.h"
#include "backend.h"
#include "model.h"
#include "promise_worker.h"
#include "template_guard.h"

namespace {

struct RenderRequest {
  std::shared_ptr<Model> model;
  std::string messages;
  std::string chat_template;  // empty: the model's own
  bool has_special_text = false;
  std::string begin_of_sequence;
  std::string end_of_sequence;
  bool add_generation_prompt = true;
  bool enable_thinking = true;
  std::map<std::string, std::string> variables;  // JSON texts
};

common_chat_params Render(const RenderRequest& request) {
  std::string source = request.chat_template;
  if (source.empty()) {
    const char* own = llama_model_chat_template(request.model->model, nullptr);
    if (own == nullptr) {
      throw Failure(
          "NO_CHAT_TEMPLATE",
          "The model brings no chat template. Pass one as `chatTemplate`, or use generate() with a prompt "
          "in the form the model was trained with.");
    }
    source = own;
  }
  if (source != "chatml") CheckTemplate(source);

  try {
    // llama.cpp ignores the given texts of the special tokens when it has a model to take them from.
    const llama_model* model = request.has_special_text ? nullptr : request.model->model;
    common_chat_templates_ptr templates = common_chat_templates_init(
        model, request.chat_template, request.begin_of_sequence, request.end_of_sequence);
    common_chat_templates_inputs inputs;
    inputs.messages = common_chat_msgs_parse_oaicompat(common_json::parse(request.messages));
    inputs.add_generation_prompt = request.add_generation_prompt;
    inputs.enable_thinking = request.enable_thinking;
    inputs.chat_template_kwargs = request.variables;
    return common_chat_templates_apply(templates.get(), inputs);
  } catch (const std::exception& error) {
    throw Failure("CHAT_TEMPLATE_FAILED",
                  std::string("The chat template could not be rendered: ") + error.what());
  }
}

}  // namespace

Napi::Value ApplyChatTemplate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  RenderRequest request;
  request.model = Unwrap<Model>(info[0]);
  request.messages = ReadString(info[1], "messages");
  auto options = info[2].As<Napi::Object>();
  request.chat_template = ReadString(options, "template", "");
  request.has_special_text =
      options.Get("beginOfSequence").IsString() || options.Get("endOfSequence").IsString();
  request.begin_of_sequence = ReadString(options, "beginOfSequence", "");
  request.end_of_sequence = ReadString(options, "endOfSequence", "");
  request.add_generation_prompt = ReadBool(options.Get("addGenerationPrompt"), true);
  request.enable_thinking = ReadBool(options.Get("enableThinking"), true);
  if (request.has_special_text && request.chat_template.empty()) {
    throw Failure(
        "INVALID_ARGUMENT",
        "Expected a `template` together with beginOfSequence or endOfSequence; the model's own template "
        "takes them from its vocabulary.");
  }
  if (options.Get("variables").IsObject()) {
    auto variables = options.Get("variables").As<Napi::Object>();
    auto names = variables.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); i++) {
      const std::string name = ReadString(names.Get(i), "variable name");
      request.variables[name] = ReadString(variables.Get(name), "variables");
    }
  }
  return RunAsync(
      env, TaskExecutor(env), [request = std::move(request)] { return Render(request); },
      [](Napi::Env js_env, common_chat_params& rendered) -> Napi::Value {
        auto result = Napi::Object::New(js_env);
        result.Set("prompt", rendered.prompt);
        result.Set("generationPrompt", rendered.generation_prompt);
        auto stops = Napi::Array::New(js_env);
        for (uint32_t i = 0; i < rendered.additional_stops.size(); i++)
          stops.Set(i, rendered.additional_stops[i]);
        result.Set("stops", stops);
        return result;
      },
      "CHAT_TEMPLATE_FAILED");
}
