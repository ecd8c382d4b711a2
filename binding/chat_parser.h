// Reading what a model writes: text, reasoning and tool calls, in the format of its chat template.
#pragma once

#include <chat.h>

#include <string>

#include "handle.h"
#include "node_api.h"

// Knows how the answer to one rendered conversation is written. Any thread.
class ChatParser {
 public:
  // `source` is what common_chat_params.parser holds. Throws if it is none.
  ChatParser(common_chat_format format, const std::string& source, const std::string& generation_prompt,
             bool is_continuation);

  // The message in an answer, or in the beginning of one if `is_partial`. Throws CHAT_OUTPUT_INVALID if a
  // whole answer does not follow the format.
  common_chat_msg Parse(const std::string& text, bool is_partial) const;

 private:
  common_chat_parser_params params_;
};

template <>
struct HandleKind<ChatParser> {
  static constexpr const char* name = "chat parser";
  static constexpr napi_type_tag tag = {0x6c6c616d612d6e61, 0x746976652d637072};
  static void Dispose(Napi::Env, const std::shared_ptr<ChatParser>&) {}
};

// ({ format, source, generationPrompt, isContinuation }) => Promise<parser>
Napi::Value CreateChatParser(const Napi::CallbackInfo& info);
// (parser, text, isPartial) => Promise<{ content, reasoning, toolCalls: [{ id, name, arguments }] }>
Napi::Value ParseChat(const Napi::CallbackInfo& info);
