#include "chat_parser.h"

#include <memory>
#include <utility>

#include "arguments.h"
#include "promise_worker.h"

ChatParser::ChatParser(common_chat_format format, const std::string& source,
                       const std::string& generation_prompt, bool is_continuation) {
  params_.format = format;
  params_.generation_prompt = generation_prompt;
  params_.is_continuation = is_continuation;
  if (!source.empty()) params_.parser.load(source);
}

common_chat_msg ChatParser::Parse(const std::string& text, bool is_partial) const {
  try {
    return common_chat_parse(text, is_partial, params_);
  } catch (const std::exception& error) {
    throw Failure("CHAT_OUTPUT_INVALID",
                  std::string("The answer does not follow the format of the chat template: ") + error.what());
  }
}

Napi::Value CreateChatParser(const Napi::CallbackInfo& info) {
  auto options = info[0].As<Napi::Object>();
  const auto format = static_cast<common_chat_format>(
      ReadInteger(options.Get("format"), "format", 0, COMMON_CHAT_FORMAT_COUNT - 1));
  const std::string source = ReadString(options, "source", "");
  const std::string generation_prompt = ReadString(options, "generationPrompt", "");
  const bool is_continuation = ReadBool(options.Get("isContinuation"), false);
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [=] { return std::make_shared<ChatParser>(format, source, generation_prompt, is_continuation); },
      [](Napi::Env env, std::shared_ptr<ChatParser>& parser) -> Napi::Value {
        return WrapHandle(env, std::move(parser));
      },
      "CHAT_TEMPLATE_FAILED");
}

Napi::Value ParseChat(const Napi::CallbackInfo& info) {
  std::shared_ptr<ChatParser> parser = Unwrap<ChatParser>(info[0]);
  std::string text = ReadString(info[1], "text");
  const bool is_partial = ReadBool(info[2], false);
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [parser, text = std::move(text), is_partial] { return parser->Parse(text, is_partial); },
      [](Napi::Env env, common_chat_msg& message) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("content", message.content);
        result.Set("reasoning", message.reasoning_content);
        auto calls = Napi::Array::New(env, message.tool_calls.size());
        for (uint32_t i = 0; i < message.tool_calls.size(); i++) {
          auto call = Napi::Object::New(env);
          call.Set("id", message.tool_calls[i].id);
          call.Set("name", message.tool_calls[i].name);
          call.Set("arguments", message.tool_calls[i].arguments);
          calls.Set(i, call);
        }
        result.Set("toolCalls", calls);
        return result;
      });
}
