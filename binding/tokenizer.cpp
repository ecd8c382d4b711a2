#include "tokenizer.h"

#include <limits>
#include <stdexcept>
#include <utility>

#include "arguments.h"
#include "model.h"
#include "promise_worker.h"

void Model::CheckTokens(const std::vector<llama_token>& tokens) const {
  for (const llama_token token : tokens) {
    if (token < 0 || token >= vocabulary_size) {
      throw Failure("INVALID_TOKEN", "Expected token ids from 0 to " + std::to_string(vocabulary_size - 1) +
                                         "; received " + std::to_string(token) +
                                         ". Use tokens made by this model's own tokenize().");
    }
  }
}

std::string Model::Piece(llama_token token, bool render_special) const {
  std::string piece(32, '\0');
  int32_t length = llama_token_to_piece(vocabulary, token, piece.data(), static_cast<int32_t>(piece.size()),
                                        0, render_special);
  if (length < 0) {
    piece.resize(-length);
    length = llama_token_to_piece(vocabulary, token, piece.data(), static_cast<int32_t>(piece.size()), 0,
                                  render_special);
  }
  piece.resize(length < 0 ? 0 : length);
  return piece;
}

namespace {

enum class CharacterClass { letter, digit, space, other };

CharacterClass ClassOf(unsigned char byte) {
  if (byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'))
    return CharacterClass::letter;
  if (byte >= '0' && byte <= '9') return CharacterClass::digit;
  if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return CharacterClass::space;
  return CharacterClass::other;
}

// The regular expressions of some vocabularies recurse once for each character of a run of one class
// (deepseek, falcon, gpt-neox, aquila), which overflows the stack.
void CheckRuns(const std::string& text, size_t longest) {
  size_t run = 0;
  for (size_t i = 0; i < text.size(); i++) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) == 0x80) continue;  // the rest of a character
    run = i > 0 && ClassOf(byte) == ClassOf(static_cast<unsigned char>(text[i - 1])) ? run + 1 : 1;
    if (run > longest) {
      throw Failure("INVALID_ARGUMENT",
                    "Expected a text without more than " + std::to_string(longest) +
                        " letters, digits or signs in one run; this one has a longer run. "
                        "Tokenize it in parts, or use tokenize() instead of tokenizeSync().");
    }
  }
}

// About 300 bytes of stack for each character: a third of a thread of TaskRunner, and of JavaScript's own.
constexpr size_t longest_run = 60000;
constexpr size_t longest_run_sync = 4000;

}  // namespace

std::vector<llama_token> Model::Tokenize(const std::string& text, bool add_special,
                                         bool parse_special) const {
  if (llama_vocab_type(vocabulary) == LLAMA_VOCAB_TYPE_NONE) {
    throw Failure("MODEL_UNSUPPORTED", "This model has no vocabulary, so it cannot tokenize text.");
  }
  if (text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max() / 4)) {
    throw Failure("INVALID_ARGUMENT", "Expected a text below 512 MiB; received " +
                                          std::to_string(text.size()) + " bytes. Tokenize it in parts.");
  }
  const auto length = static_cast<int32_t>(text.size());
  std::vector<llama_token> tokens(text.size() + 2);  // no token is shorter than a byte; two special ones
  const auto tokenize = [&] {
    try {
      return llama_tokenize(vocabulary, text.data(), length, tokens.data(),
                            static_cast<int32_t>(tokens.size()), add_special, parse_special);
    } catch (const std::out_of_range&) {
      throw Failure("MODEL_INVALID",
                    "The vocabulary of this model has no token for a byte of this text. Use another file of "
                    "the model.");
    }
  };
  int32_t count = tokenize();
  if (count < 0) {  // some vocabularies add more than that
    tokens.resize(-count);
    count = tokenize();
  }
  if (count < 0) throw Failure("INTERNAL", "llama.cpp could not tokenize the text.");
  tokens.resize(count);
  tokens.shrink_to_fit();
  return tokens;
}

std::string Model::Detokenize(const std::vector<llama_token>& tokens, bool remove_special,
                              bool render_special) const {
  CheckTokens(tokens);
  if (tokens.empty() || llama_vocab_type(vocabulary) == LLAMA_VOCAB_TYPE_NONE) return "";
  const auto count = static_cast<int32_t>(tokens.size());
  std::string text(tokens.size() * 8, '\0');
  int32_t length = llama_detokenize(vocabulary, tokens.data(), count, text.data(),
                                    static_cast<int32_t>(text.size()), remove_special, render_special);
  if (length < 0) {
    text.resize(-length);
    length = llama_detokenize(vocabulary, tokens.data(), count, text.data(),
                              static_cast<int32_t>(text.size()), remove_special, render_special);
  }
  if (length < 0) throw Failure("INTERNAL", "llama.cpp could not detokenize the tokens.");
  text.resize(length);
  return text;
}

Napi::Value Tokenize(const Napi::CallbackInfo& info) {
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  std::vector<std::string> texts = ReadStrings(info[1], "texts");
  const bool add_special = ReadBool(info[2], true);
  const bool parse_special = ReadBool(info[3], false);
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [model, texts = std::move(texts), add_special, parse_special] {
        std::vector<std::vector<llama_token>> results;
        results.reserve(texts.size());
        for (const std::string& text : texts) {
          CheckRuns(text, longest_run);
          results.push_back(model->Tokenize(text, add_special, parse_special));
        }
        return results;
      },
      [](Napi::Env env, std::vector<std::vector<llama_token>>& results) -> Napi::Value {
        auto array = Napi::Array::New(env, results.size());
        for (uint32_t i = 0; i < results.size(); i++) array.Set(i, TokensToArray(env, results[i]));
        return array;
      });
}

Napi::Value TokenizeSync(const Napi::CallbackInfo& info) {
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  const std::string text = ReadString(info[1], "text");
  CheckRuns(text, longest_run_sync);
  return TokensToArray(info.Env(), model->Tokenize(text, ReadBool(info[2], true), ReadBool(info[3], false)));
}

Napi::Value Detokenize(const Napi::CallbackInfo& info) {
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  if (!info[1].IsArray()) throw Failure("INVALID_ARGUMENT", "Expected an array of Int32Array for tokens.");
  auto arrays = info[1].As<Napi::Array>();
  std::vector<std::vector<llama_token>> lists;
  for (uint32_t i = 0; i < arrays.Length(); i++) lists.push_back(ReadTokens(arrays.Get(i)));
  const bool remove_special = ReadBool(info[2], false);
  const bool render_special = ReadBool(info[3], false);
  return RunAsync(
      info.Env(), TaskExecutor(info.Env()),
      [model, lists = std::move(lists), remove_special, render_special] {
        std::vector<std::string> results;
        results.reserve(lists.size());
        for (const auto& tokens : lists) {
          results.push_back(model->Detokenize(tokens, remove_special, render_special));
        }
        return results;
      },
      [](Napi::Env env, std::vector<std::string>& results) -> Napi::Value {
        auto array = Napi::Array::New(env, results.size());
        for (uint32_t i = 0; i < results.size(); i++) array.Set(i, Napi::String::New(env, results[i]));
        return array;
      });
}

Napi::Value GetTokenText(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::shared_ptr<Model> model = Unwrap<Model>(info[0]);
  const llama_token token = ReadInteger(info[1], "token", 0, std::numeric_limits<int32_t>::max());
  model->CheckTokens({token});
  auto result = Napi::Object::New(env);
  result.Set("text", model->Piece(token, true));
  result.Set("control", llama_vocab_is_control(model->vocabulary, token));
  result.Set("endOfGeneration", llama_vocab_is_eog(model->vocabulary, token));
  return result;
}
