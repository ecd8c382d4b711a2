#include "chat.h"

#include <chat.h>

#include <cctype>
#include <chrono>
#include <map>
#include <utility>

#include "arguments.h"
#include "backend.h"
#include "control_text.h"
#include "grammar.h"
#include "model.h"
#include "promise_worker.h"
#include "template_guard.h"
#include "work_budget.h"

namespace {

// Templates take milliseconds, and long conversations more: llama.cpp renders each some twenty times to learn
// what it can do, and copies texts for each block that they are in.
WorkBudget RenderingBudget(size_t conversation_bytes) {
  constexpr size_t megabyte = size_t{1} << 20;
  // The library gives up after ten seconds.
  return WorkBudget(std::chrono::seconds(9), 64 * megabyte + 400 * conversation_bytes);
}

struct RenderRequest {
  std::shared_ptr<Model> model;
  std::string messages;       // as JSON, in OpenAI's form
  std::string tools;          // the same; empty: none
  std::string chat_template;  // empty: the model's own
  bool has_special_text = false;
  std::string begin_of_sequence;
  std::string end_of_sequence;
  std::string tool_choice;
  std::string json_schema;  // what the answer has to be; empty: any text
  bool parallel_tool_calls = false;
  bool add_generation_prompt = true;
  common_chat_continuation continuation = COMMON_CHAT_CONTINUATION_NONE;
  bool enable_thinking = true;
  bool parse_reasoning = false;
  bool tokenize = false;
  std::string mark;                              // see TokenizeMarked; empty: none
  std::map<std::string, std::string> variables;  // JSON texts
};

struct Rendering {
  common_chat_params params;
  std::vector<llama_token> tokens;
  std::vector<llama_token> visible_tokens;
  std::vector<llama_token> generation_prompt;
  std::vector<llama_token> reasoning_start;
  std::vector<std::vector<llama_token>> reasoning_ends;
};

void CheckSources(const RenderRequest& request) {
  if (!request.chat_template.empty()) {
    if (request.chat_template != "chatml") CheckTemplate(request.chat_template);
    return;
  }
  const char* own = llama_model_chat_template(request.model->model, nullptr);
  if (own == nullptr) {
    throw Failure(
        "NO_CHAT_TEMPLATE",
        "The model brings no chat template. Pass one as `chatTemplate`, or use generate() with a prompt "
        "in the form the model was trained with.");
  }
  CheckTemplate(own);
  const char* for_tools = llama_model_chat_template(request.model->model, "tool_use");
  if (for_tools != nullptr) CheckTemplate(for_tools);
}

common_chat_templates_inputs ToInputs(const RenderRequest& request) {
  common_chat_templates_inputs inputs;
  inputs.messages = common_chat_msgs_parse_oaicompat(common_json::parse(request.messages));
  if (!request.tools.empty()) {
    inputs.tools = common_chat_tools_parse_oaicompat(common_json::parse(request.tools));
    inputs.tool_choice = common_chat_tool_choice_parse_oaicompat(request.tool_choice);
    inputs.parallel_tool_calls = request.parallel_tool_calls;
  }
  inputs.json_schema = request.json_schema;
  inputs.continue_final_message = request.continuation;
  inputs.add_generation_prompt =
      request.add_generation_prompt && request.continuation == COMMON_CHAT_CONTINUATION_NONE;
  inputs.enable_thinking = request.enable_thinking;
  inputs.reasoning_format =
      request.parse_reasoning ? COMMON_REASONING_FORMAT_AUTO : COMMON_REASONING_FORMAT_NONE;
  inputs.chat_template_kwargs = request.variables;
  return inputs;
}

// What went wrong: some failures of llama.cpp tell their reason only to the log.
std::string ReasonOf(const std::exception& error, const LogCapture& log) {
  std::string reason = error.what();
  if (reason == "std::exception" && !log.Text().empty()) reason = log.Text();
  return reason;
}

common_chat_params Apply(const RenderRequest& request) {
  CheckSources(request);
  // Refuses what llama.cpp would turn into "any text", or could not follow.
  if (!request.json_schema.empty()) GrammarOfJsonSchema(request.json_schema);
  const LogCapture log;
  const WorkBudget budget = RenderingBudget(request.messages.size());
  try {
    // llama.cpp ignores the given texts of the special tokens when it has a model to take them from.
    const llama_model* model = request.has_special_text ? nullptr : request.model->model;
    common_chat_templates_ptr templates = common_chat_templates_init(
        model, request.chat_template, request.begin_of_sequence, request.end_of_sequence);
    return common_chat_templates_apply(templates.get(), ToInputs(request));
  } catch (const std::exception& error) {
    const std::string reason = budget.Reason() != nullptr ? budget.Reason() : ReasonOf(error, log);
    throw Failure("CHAT_TEMPLATE_FAILED", "The chat template could not be rendered: " + reason);
  }
}

// A filter such as tojson writes characters beyond ASCII as escapes, the mark among them.
void UnescapeMark(std::string& prompt, const std::string& mark, const std::string& escaped_mark) {
  for (size_t at = prompt.find(escaped_mark); at != std::string::npos; at = prompt.find(escaped_mark, at)) {
    prompt.replace(at, escaped_mark.size(), mark);
  }
}

// The control tokens that mean something in an answer: they begin reasoning and tool calls, or end the turn.
std::vector<llama_token> VisibleTokens(const Model& model, const common_chat_params& params) {
  std::vector<std::string> texts = params.preserved_tokens;
  texts.push_back(params.thinking_start_tag);
  texts.insert(texts.end(), params.thinking_end_tags.begin(), params.thinking_end_tags.end());
  texts.insert(texts.end(), params.additional_stops.begin(), params.additional_stops.end());
  std::vector<llama_token> visible;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    const std::vector<llama_token> tokens = model.Tokenize(text, false, true);
    if (tokens.size() == 1) visible.push_back(tokens[0]);
  }
  return visible;
}

// The beginning of the answer in the prompt. Some tokenizers put a space before the first token, which is
// not there.
std::vector<llama_token> TokenizeAnswerStart(const Model& model, const std::string& text) {
  std::vector<llama_token> tokens = model.Tokenize(text, false, true);
  if (tokens.empty() || text.empty()) return tokens;
  const std::string piece = model.Piece(tokens.front(), true);
  const auto is_space = [](char character) {
    return std::isspace(static_cast<unsigned char>(character)) != 0;
  };
  if (!piece.empty() && is_space(piece.front()) && !is_space(text.front())) tokens.erase(tokens.begin());
  return tokens;
}

void TokenizeMarkers(const Model& model, Rendering& rendering) {
  const common_chat_params& params = rendering.params;
  rendering.visible_tokens = VisibleTokens(model, params);
  rendering.generation_prompt = TokenizeAnswerStart(model, params.generation_prompt);
  if (params.thinking_start_tag.empty()) return;
  rendering.reasoning_start = model.Tokenize(params.thinking_start_tag, false, true);
  for (const std::string& end : params.thinking_end_tags) {
    if (!end.empty()) rendering.reasoning_ends.push_back(model.Tokenize(end, false, true));
  }
}

Rendering Render(const RenderRequest& request, const std::string& escaped_mark) {
  Rendering rendering;
  rendering.params = Apply(request);
  std::string& prompt = rendering.params.prompt;
  if (!request.mark.empty()) UnescapeMark(prompt, request.mark, escaped_mark);
  if (request.tokenize) {
    rendering.tokens = TokenizeMarked(*request.model, prompt, request.mark);
    TokenizeMarkers(*request.model, rendering);
  }
  return rendering;
}

Napi::Array StringsToArray(Napi::Env env, const std::vector<std::string>& texts) {
  auto array = Napi::Array::New(env, texts.size());
  for (uint32_t i = 0; i < texts.size(); i++) array.Set(i, texts[i]);
  return array;
}

// Regular expressions for what a lazy grammar waits for, as common_sampler_init makes them.
std::vector<std::string> TriggerPatterns(const common_chat_params& params) {
  std::vector<std::string> patterns;
  if (!params.grammar_lazy) return patterns;
  for (const common_grammar_trigger& trigger : params.grammar_triggers) {
    const std::string& value = trigger.value;
    if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
      patterns.push_back(regex_escape(value));
    } else if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN) {
      patterns.push_back(value);
    } else if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL && !value.empty()) {
      patterns.push_back((value.front() == '^' ? "" : "^") + value + (value.back() == '$' ? "" : "$"));
    }
  }
  return patterns;
}

Napi::Value RenderingToObject(Napi::Env env, const RenderRequest& request, Rendering& rendering) {
  const common_chat_params& params = rendering.params;
  auto result = Napi::Object::New(env);
  result.Set("prompt", params.prompt);
  result.Set("generationPrompt", params.generation_prompt);
  result.Set("stops", StringsToArray(env, params.additional_stops));
  result.Set("format", static_cast<int>(params.format));
  result.Set("parser", params.parser);
  result.Set("grammar", params.grammar);
  result.Set("grammarLazy", params.grammar_lazy);
  result.Set("grammarTriggers", StringsToArray(env, TriggerPatterns(params)));
  result.Set("supportsThinking", params.supports_thinking);
  if (request.tokenize) {
    result.Set("tokens", TokensToArray(env, rendering.tokens));
    result.Set("visibleTokens", TokensToArray(env, rendering.visible_tokens));
    result.Set("grammarPrefix", TokensToArray(env, rendering.generation_prompt));
    result.Set("reasoningStart", TokensToArray(env, rendering.reasoning_start));
    auto ends = Napi::Array::New(env, rendering.reasoning_ends.size());
    for (uint32_t i = 0; i < ends.Length(); i++) ends.Set(i, TokensToArray(env, rendering.reasoning_ends[i]));
    result.Set("reasoningEnds", ends);
    result.Set("reasoningStartText", params.thinking_start_tag);
    result.Set("reasoningEndTexts", StringsToArray(env, params.thinking_end_tags));
  }
  return result;
}

std::map<std::string, std::string> ReadVariables(const Napi::Value& value) {
  std::map<std::string, std::string> variables;
  if (!value.IsObject()) return variables;
  auto object = value.As<Napi::Object>();
  auto names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string name = ReadString(names.Get(i), "variable name");
    variables[name] = ReadString(object.Get(name), "variables");
  }
  return variables;
}

common_chat_continuation ReadContinuation(const std::string& name) {
  if (name == "auto") return COMMON_CHAT_CONTINUATION_AUTO;
  if (name == "content") return COMMON_CHAT_CONTINUATION_CONTENT;
  if (name == "reasoning") return COMMON_CHAT_CONTINUATION_REASONING;
  return COMMON_CHAT_CONTINUATION_NONE;
}

RenderRequest ReadRequest(const Napi::CallbackInfo& info) {
  RenderRequest request;
  request.model = Unwrap<Model>(info[0]);
  request.messages = ReadString(info[1], "messages");
  auto options = info[2].As<Napi::Object>();
  request.tools = ReadString(options, "tools", "");
  request.tool_choice = ReadString(options, "toolChoice", "auto");
  request.parallel_tool_calls = ReadBool(options.Get("parallelToolCalls"), false);
  request.json_schema = ReadString(options, "jsonSchema", "");
  request.chat_template = ReadString(options, "template", "");
  request.has_special_text =
      options.Get("beginOfSequence").IsString() || options.Get("endOfSequence").IsString();
  request.begin_of_sequence = ReadString(options, "beginOfSequence", "");
  request.end_of_sequence = ReadString(options, "endOfSequence", "");
  request.add_generation_prompt = ReadBool(options.Get("addGenerationPrompt"), true);
  request.continuation = ReadContinuation(ReadString(options, "continueFinalMessage", "none"));
  request.enable_thinking = ReadBool(options.Get("enableThinking"), true);
  request.parse_reasoning = ReadBool(options.Get("parseReasoning"), false);
  request.tokenize = ReadBool(options.Get("tokenize"), false);
  request.mark = ReadString(options, "mark", "");
  request.variables = ReadVariables(options.Get("variables"));
  if (request.has_special_text && request.chat_template.empty()) {
    throw Failure(
        "INVALID_ARGUMENT",
        "Expected a `template` together with beginOfSequence or endOfSequence; the model's own template "
        "takes them from its vocabulary.");
  }
  return request;
}

}  // namespace

Napi::Value ApplyChatTemplate(const Napi::CallbackInfo& info) {
  RenderRequest request = ReadRequest(info);
  const std::string escaped_mark = ReadString(info[2].As<Napi::Object>(), "escapedMark", "\\u0000");
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()), [request, escaped_mark] { return Render(request, escaped_mark); },
      [request](Napi::Env env, Rendering& rendering) { return RenderingToObject(env, request, rendering); },
      "CHAT_TEMPLATE_FAILED");
}
